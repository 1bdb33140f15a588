"""`components`: lists the catalogue; `components new` writes the skeleton of a component."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sdsk8s.cli.options import home_option, site_options
from sdsk8s.cli.render import print_table
from sdsk8s.verbs.options import Options


@click.group(invoke_without_command=True)
@site_options
def components(**kw: Any) -> None:
    """List the catalogue: components first, stores last. `new` writes the skeleton of a component of your own."""
    from sdsk8s.verbs.components import catalogue_rows

    ctx = click.get_current_context()
    ctx.obj = options = Options(**kw)
    if ctx.invoked_subcommand is not None:
        return
    rows = catalogue_rows(options.home)
    if options.output == "json":
        click.echo(json.dumps({"version": 1, "components": rows}, indent=2))
        return
    table = [("NAME", "WHERE", "WORKLOADS", "NEEDS", "ALIASES", "TITLE")]
    table += [
        (r["name"], r["where"], " ".join(r["workloads"]), " ".join(r["needs"]), " ".join(r["aliases"]), r["title"])
        for r in rows
    ]
    print_table(table)


@components.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Catalogue folder. Default: the first one of site.yaml, else `manifests` in the site folder.",
)
@click.option("--image", metavar="REF", default="", help="Use a finished image; without it the component builds one.")
@click.option("--port", type=click.IntRange(1024, 65535), default=8080, show_default=True, help="Port of the service.")
@home_option
@click.option("-o", "output", type=click.Choice(["text", "json"]), default=None, help="Output form.")
@click.pass_obj
def new(
    options: Options, name: str, into: Path | None, image: str, port: int, home: str | None, output: str | None
) -> None:
    """Write the folder of a new component NAME: component.yaml, Deployment, Service, settings and Dockerfile.

    The result passes `sdsk8s lint`, runs under Pod Security `restricted`, and starts as it is. A folder that exists
    is never overwritten.
    """
    from sdsk8s.verbs.components import New
    from sdsk8s.verbs.components import new as write

    made = write(New(name, home or options.home, into, image, port))
    if (output or options.output) == "json":
        body = {**asdict(made), "folder": str(made.folder)}
        click.echo(json.dumps({"version": 1, **body}, indent=2))
        return
    click.echo(f"wrote {made.folder}")
    for file in made.files:
        click.echo(f"  {file}")
    click.echo("\nedit next:")
    for line in made.edit:
        click.echo(f"  - {line}")
    click.echo("\nthen:")
    for command in made.commands:
        click.echo(f"  {command}")
