"""`images prune`: removes stored images that nothing runs and no revision needs."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.verbs import images_prune
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command("prune")
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Younger images stay: another cluster may be about to run them.",
)
@site_options
@run_options
def prune(days: int, **kw: Any) -> None:
    """Remove images of this site that nothing runs and no revision needs, from the registry and the engine.

    Only the cluster of this site is asked: where several share a registry, run it with the --older-than that the
    slowest of them wants. Images with a tag of yours (a release) stay.
    """
    end(images_prune.run(Session(Options(**kw)), images_prune.Request(days)))
