"""`lint` of `sdsk8s`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.console.console import Console
from sdsk8s.verbs import lint as verb
from sdsk8s.verbs.options import Options


@click.command()
@click.argument("path", nargs=-1, type=click.Path(path_type=Path))
@site_options
def lint(path: tuple[Path, ...], **kw: Any) -> None:
    """Check PATH... (files or folders of manifests and Dockerfiles), or everything that the site would apply and build.

    Exit code 1 when something was found. A rule that does not apply to an object is waived there in writing:
    metadata.annotations, lint.sdsk8s/RULE: the reason.
    """
    end(verb.run(Console(), Options(**kw), path))
