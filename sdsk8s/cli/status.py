"""`status` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.verbs import status as verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command()
@click.argument("component", nargs=-1, shell_complete=complete_component)
@site_options
def status(component: tuple[str, ...], **kw: Any) -> None:
    """What runs, where and since when, of COMPONENT... or everything.

    Exit code 1 when something that should run is not ready, or a store that is needed does not answer.
    """
    end(verb.run(Session(Options(**kw)), component or ("all",)))
