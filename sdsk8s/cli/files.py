"""`files diff|upgrade` of `sdsk8s`."""

from __future__ import annotations

from pathlib import Path

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import home_option, output_option
from sdsk8s.console.console import Console
from sdsk8s.verbs import files as verb


@click.group()
def files() -> None:
    """The site's `files` folder: what differs from the shipped versions, and bringing it up to them."""


@files.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@output_option
@home_option
def diff(names: tuple[str, ...], output: str, home: str | None) -> None:
    """Differences as unified diffs, shipped first. Exit code 0 when there are none, else 1.

    A template that the site does not have, and that verbs find where it is shipped, does not count as a difference.
    """
    end(verb.diff(Console(), verb.Diff(home, names, output == "json")))


@files.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option(
    "--take",
    type=click.Choice(["mine", "shipped"]),
    help="Resolve files: keep the site's text (the shipped one counts as merged), or take the shipped one.",
)
@click.option(
    "--base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the versions that the site's files came from, if none is recorded (an earlier sdsk8s release).",
)
@click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Print what would be done and stop.")
@click.option("-y", "-f", "--yes", "yes", is_flag=True, envvar="SDS_YES", help="Do not ask.")
@output_option
@home_option
def upgrade(
    names: tuple[str, ...], take: str | None, base: Path | None, dry_run: bool, yes: bool, output: str, home: str | None
) -> None:
    """Newer shipped versions into the site's files; changes made here are kept, by a merge of three.

    What was there stays beside as FILE.DATE.bak. A conflict leaves the file as it is and writes FILE.new.
    Exit code 0 when all is settled, 3 when some files are left to a person, 4 when nothing could be done.
    """
    request = verb.Upgrade(home, names, take, base, dry_run, yes, output == "json")
    end(verb.upgrade(Console(), request))
