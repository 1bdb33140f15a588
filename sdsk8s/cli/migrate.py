"""`assess` and `migrate import` of `sdsk8s`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdsk8s.cli.end import end
from sdsk8s.cli.options import options, output_option
from sdsk8s.console.console import Console
from sdsk8s.verbs.old_site import OldSite

_FILES: dict[str, Any] = {"multiple": True, "metavar": "[COMPONENT=]FILE"}
_SOURCES = ("home", "supervisord", "crontab", "systemd", "settings")

_sources = options(
    click.option("--from", "home", envvar="SDS_HOME", help="The old site's folder instead of ~/.sds."),
    click.option("--supervisord", help="A supervisord configuration; its includes are followed.", **_FILES),
    click.option("--crontab", help="A crontab, of a user or of /etc/cron.d.", **_FILES),
    click.option("--systemd", "--unit", "systemd", help="A unit file, or a folder of them.", **_FILES),
    click.option("--strict", is_flag=True, help="Exit code 1 if anything changed meaning or has no counterpart."),
    output_option,
)
"""Options that name the old site's files; COMPONENT= may be left out where the file's path tells it."""


@click.command()
@_sources
def assess(strict: bool, output: str, **old: Any) -> None:
    """Report what is taken over, what changes its meaning and what has no counterpart, each with file and line."""
    from sdsk8s.verbs import assess as verb

    request = verb.Request(OldSite(**old), strict, output == "json")
    end(verb.run(Console(), request))


@click.group()
def migrate() -> None:
    """From an old site to a site folder of this project."""


@migrate.command("import")
@_sources
@click.option("--settings", multiple=True, metavar="[COMPONENT=]FILE", help="A settings file that its programs read.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write: a new SDS_HOME.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as an HTML page.")
@click.option("--source", default="", metavar="DIR", help="The source tree, instead of the old site's.")
@click.option("--registry", default="", metavar="HOST:PORT", help="Registry for the new site's images.")
@click.option("-f", "--force", is_flag=True, help="Overwrite an existing folder; it is renamed to .bak.")
@click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Report and check; write nothing.")
def import_(output: str, **kw: Any) -> None:
    """Write a site folder that `sds` and `sdsk8s` work with, and report what became of everything.

    Exit code 1 with --strict when anything changed meaning or has no counterpart, 3 when the new folder cannot be
    rendered yet; the report says why.
    """
    from sdsk8s.verbs import migrate as verb

    old = OldSite(**{name: kw.pop(name) for name in _SOURCES})
    end(verb.run(Console(), verb.Request(old, json=output == "json", **kw)))
