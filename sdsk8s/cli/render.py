"""`render` of `sdsk8s`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.verbs import render as verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command()
@click.argument("component", nargs=-1, shell_complete=complete_component)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write files (mode 0600) into a folder.")
@click.option("--only", metavar="KIND/NAME", default="", help="One object, as in secret/sds-credentials.")
@click.option("--show-secrets", is_flag=True, help="Print the values of Secrets instead of ***.")
@site_options
def render(component: tuple[str, ...], out: Path | None, only: str, show_secrets: bool, **kw: Any) -> None:
    """Print the objects that `update` would apply: COMPONENT... or everything, stores included.

    Files of --out hold the values of Secrets: they are meant for `kubectl apply -f FOLDER`.
    """
    end(verb.run(Session(Options(**kw)), verb.Request(component or ("all",), out, only, show_secrets)))
