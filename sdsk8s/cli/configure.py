"""`configure` and `config check` of `sdsk8s`."""

from __future__ import annotations

from pathlib import Path

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import home_option, output_option
from sdsk8s.console.console import Console
from sdsk8s.verbs import config_check
from sdsk8s.verbs import configure as verb


@click.command()
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file of answers: configuration keys, and `site:` with keys of site.yaml. No questions.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One answer; lower-case keys belong to site.yaml. Not for secrets. No questions.",
)
@click.option(
    "--secrets-from-stdin", "stdin", is_flag=True, help="Read KEY=VALUE lines of secrets from standard input."
)
@click.option("-f", "-y", "--force", "--yes", "yes", is_flag=True, help="Do not ask before changing existing files.")
@home_option
def configure(source: Path | None, assignments: tuple[str, ...], stdin: bool, yes: bool, home: str | None) -> None:
    """Write the site's configuration: the legacy dialogue, merged into the existing files."""
    verb.run(Console(), verb.Request(home, source, assignments, stdin, yes))


@click.group()
def config() -> None:
    """What is in the site's `config`, and what is odd about it."""


@config.command()
@output_option
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings, too.")
@home_option
def check(output: str, strict: bool, home: str | None) -> None:
    """Every oddity of `config` with its line. Exit code 1 for what is broken or missing."""
    request = config_check.Request(home, strict, output == "json")
    end(config_check.run(Console(), request))
