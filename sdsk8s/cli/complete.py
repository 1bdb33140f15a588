"""Shell completion of component names, without a cluster call and without the heavy libraries."""

from __future__ import annotations

import click

from sdsk8s.site.data import folder


def complete_component(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the shipped catalogue that start with what was typed."""
    names = sorted(p.parent.name for p in folder("manifests").glob("*/component.yaml"))
    return [n for n in [*names, "all"] if n.startswith(incomplete)]
