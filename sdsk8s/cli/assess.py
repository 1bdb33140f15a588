"""`assess`: what an old site holds, and what each part becomes. Reads only."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.option("--from", "home", envvar="SDS_HOME", help="The old site's folder instead of ~/.sds.")
@click.option("--supervisord", multiple=True, metavar="COMPONENT=FILE", help="A supervisord configuration.")
@click.option("--crontab", multiple=True, metavar="COMPONENT=FILE", help="A crontab.")
@click.option("--unit", multiple=True, metavar="COMPONENT=FILE", help="A unit file of systemd.")
@click.option("--strict", is_flag=True, help="Exit code 1 when anything changed meaning or has no counterpart.")
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT")
def assess(
    home: str | None,
    supervisord: tuple[str, ...],
    crontab: tuple[str, ...],
    unit: tuple[str, ...],
    strict: bool,
    output: str,
) -> None:
    """Report what is taken over, what changes its meaning and what has no counterpart, each with file and line."""
    from sdsk8s.files.catalogue import load_catalogue
    from sdsk8s.files.site import home_folder
    from sdsk8s.migrate.assess import assess as examine
    from sdsk8s.migrate.findings import CHANGED, NONE, TAKEN

    catalogue = load_catalogue()

    def pairs(texts: tuple[str, ...]) -> list[tuple[str, Path]]:
        split = [text.partition("=") for text in texts]
        for name, equals, file in split:
            if not equals or not file:
                raise click.UsageError(f"COMPONENT=FILE is wanted, not {name}")
        return [(catalogue.get(name).name, Path(file)) for name, _, file in split]

    found = examine(home_folder(home), catalogue, pairs(supervisord), pairs(crontab), pairs(unit))
    failed = strict and any(f.kind != TAKEN for f in found)
    if output == "json":
        click.echo(json.dumps({"version": 1, "findings": [asdict(f) for f in found]}, indent=2))
    else:
        titles = {TAKEN: "taken over", CHANGED: "changed meaning", NONE: "no counterpart"}
        for kind, title in titles.items():
            part = [f for f in found if f.kind == kind]
            click.echo(f"== {title}: {len(part)}")
            for f in part:
                click.echo(f"  {f.place}  {f.subject}: {f.words}")
    raise click.exceptions.Exit(1 if failed else 0)
