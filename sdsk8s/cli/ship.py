"""`ship`: bundles of queues to their workers."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.verbs import ship as ship_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command()
@click.argument("queue", nargs=-1)
@click.option("-e", "--encrypt", is_flag=True, help="Encrypt: by the server in a bucket, with the site's key for pods.")
@site_options
@run_options
def ship(queue: tuple[str, ...], encrypt: bool, **kw: Any) -> None:
    """Ship the bundles of QUEUE... or of all queues.

    A bundle is pushed to the registry for workers in the cluster, which roll to it, and to the code bucket for
    workers on virtual machines. An unchanged bundle is not shipped again.
    """
    end(ship_verb.run(Session(Options(**kw)), ship_verb.Request(queue, encrypt)))
