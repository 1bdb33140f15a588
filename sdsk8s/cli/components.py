"""`components`, and `components new`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import home_option, site_options
from sdsk8s.console.console import Console
from sdsk8s.verbs.components import New, run_new, show
from sdsk8s.verbs.options import Options


@click.group(invoke_without_command=True)
@site_options
def components(**kw: Any) -> None:
    """List the catalogue: components first, stores last. `new` writes the skeleton of a component of your own."""
    ctx = click.get_current_context()
    ctx.obj = options = Options(**kw)
    if ctx.invoked_subcommand is None:
        end(show(options.home, Console(), as_json=options.output == "json"))


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
    request = New(name, home or options.home, into, image, port)
    end(run_new(request, Console(), as_json=(output or options.output) == "json"))
