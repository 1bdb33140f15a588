"""`logs` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.verbs import logs as verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

_OWN = ("follow", "tail", "since", "previous", "container", "timestamps")


@click.command()
@click.argument(
    "targets", nargs=-1, required=True, metavar="COMPONENT[/WORKLOAD]...", shell_complete=complete_component
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing, including new pods, until Ctrl-C.")
@click.option(
    "--tail",
    type=click.IntRange(min=-1),
    metavar="LINES",
    help="Last lines of each container, -1 for all; 100 when neither this nor --since is given.",
)
@click.option("--since", metavar="TIME", help="Only newer lines, such as 30s, 10m, 1h30m.")
@click.option("-p", "--previous", is_flag=True, help="Logs of the container before its last restart.")
@click.option("-c", "--container", default="", help="Only containers of this name, init containers included.")
@click.option("--timestamps", is_flag=True, help="Print the time (UTC) before each line.")
@site_options
def logs(targets: tuple[str, ...], **kw: Any) -> None:
    """Logs of all pods of COMPONENT or of one of its workloads, in parallel."""
    request = verb.Request(targets, **{name: kw.pop(name) for name in _OWN})
    end(verb.run(Session(Options(**kw)), request))
