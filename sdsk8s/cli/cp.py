"""`cp` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

_OWN = ("delete", "dry_run", "pod", "container", "ephemeral", "restart", "skip_links", "max_bytes")


@click.command()
@click.argument("src")
@click.argument("dst")
@click.option("--delete", is_flag=True, help="Also delete what is not in the source.")
@click.option("--dry-run", is_flag=True, help="Print what would be copied and stop.")
@click.option("--pod", default="", help="Only this pod of the component.")
@click.option("-c", "--container", default="", help="Container; default: the pod's first.")
@click.option("--ephemeral", is_flag=True, help="Allow changing the image's own files; marks the pod as drifted.")
@click.option("--restart/--no-restart", default=None, help="Restart supervised programs.")
@click.option("--skip-links", is_flag=True, help="Skip links that point outside the tree.")
@click.option("--max-bytes", type=click.IntRange(min=0), metavar="BYTES", help="Refuse more than this (64 GiB).")
@site_options
def cp(src: str, dst: str, **kw: Any) -> None:
    """Copy SRC to DST, of which one is in pods: COMPONENT[/WORKLOAD]:PATH (all its ready pods) or pod/NAME:PATH.

    Only what differs is sent, everything is checked by sha256, and the target is switched when all of it is there.
    DST names the copy itself; a DST that ends in / is a folder to put SRC into.
    """
    from sdsk8s.verbs.copy import Request, copy  # loads the libraries of the connection

    request = Request(src, dst, **{name: kw.pop(name) for name in _OWN})
    end(copy(request, Options(**kw)))
