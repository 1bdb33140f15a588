"""`status`: what runs, where, since when; stores are asked by their own protocols."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import site_options
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.model.status import SystemStatus


@click.command()
@click.argument("component", nargs=-1, shell_complete=complete_component)
@site_options
def status(component: tuple[str, ...], **kw: Any) -> None:
    """What runs, where and since when, of COMPONENT... or everything.

    Exit code 1 when something that should run is not ready, or a store that is needed does not answer.
    """
    raise click.exceptions.Exit(show(component or ("all",), Options(**kw)))


def status_as_dict(found: SystemStatus) -> dict[str, Any]:
    """Schema: docs/reference/schemas/status.schema.json."""
    return {"version": 1, **dataclasses.asdict(found)}


def show(targets: str | tuple[str, ...], options: Options, *, legacy: bool = False) -> int:
    """Print the status of the targets; returns the exit code. legacy: `all` means what it meant to the old tool."""
    from sdsk8s.model.status import system_status
    from sdsk8s.verbs.session import Session
    from sdsk8s.verbs.status_probe import gather

    session = Session(options)
    names = (targets,) if isinstance(targets, str) else targets
    chosen = choose(session.catalogue, names, legacy)
    live, probes = gather(session, chosen)
    found = system_status(session.site, session.catalogue, chosen, live, probes, datetime.now(UTC))
    if options.output == "json":
        click.echo(json.dumps(status_as_dict(found), indent=2))
    else:
        from sdsk8s.console.colour import wanted
        from sdsk8s.console.status_text import status_lines

        # Colours are decided here: click would strip them again when SDS_COLOR asks for them in a pipe.
        for line in status_lines(found, wanted()):
            click.echo(line, color=True)
    return 0 if found.ok else 1


def choose(catalogue: Catalogue, names: tuple[str, ...], legacy: bool) -> list[Component]:
    """The components in the order asked for, each once. `all` includes the stores, but not for the legacy tool."""
    out: list[Component] = []
    for name in names:
        if name == "all":
            out += catalogue.select("all", "status") if legacy else catalogue.ordered()
        else:
            out.append(catalogue.get(name))
    return list({c.name: c for c in out}.values())
