"""`doctor` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import site_options
from sdsk8s.console.console import Console
from sdsk8s.verbs.options import Options


@click.command()
@site_options
def doctor(**kw: Any) -> None:
    """Check site files, registry, container engine, cluster and permissions.

    Exit code 1 when something is broken; warnings do not count.
    """
    from sdsk8s.verbs import doctor as verb

    end(verb.run(Console(), Options(**kw)))
