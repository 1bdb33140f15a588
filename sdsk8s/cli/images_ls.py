"""`sdsk8s images`: what the site's images are called, whether the registry has them, how large they are."""

from __future__ import annotations

import json
from typing import Any

import click

from sdsk8s.cli.options import Options, site_options


@click.group()
def images() -> None:
    """Images of the site."""


@images.command("ls")
@site_options
def ls(**kw: Any) -> None:
    """List images: reference by content, digest in the registry, uncompressed size beside its budget."""
    from sdsk8s.cli.session import Session

    session = Session(Options(**kw))
    service = session.images
    specs = {n: s for c in session.catalogue.ordered() for n, s in c.images.items()}
    refs = {"base": service.base_ref, **service.refs(specs)}
    digests = service.digests(list(refs.values()))
    rows: list[dict[str, Any]] = []
    for name, ref in refs.items():
        known = service.engine.size(ref) if service.engine.has(ref) else None
        rows.append({"image": name, "reference": ref, "digest": digests[ref], "bytes": known})
    if kw["output"] == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    budgets = service.workshop.budgets
    click.echo(f"{'IMAGE':<15} {'SIZE':>8} {'BUDGET':>8}  REFERENCE")
    for row in rows:
        spec = specs.get(row["image"])
        limit = budgets.limit(row["image"], spec.dockerfile if spec else row["image"]) // 1_000_000
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "-"
        note = "" if row["digest"] else "  (not in the registry)"
        click.echo(f"{row['image']:<15} {size:>8} {limit:>5} MB  {row['reference']}{note}")
    click.echo(f"before: {budgets.before} MB with all tools, {budgets.goal} MB after the first slimming")
