"""`runs` and `lock` of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.console.console import Console
from sdsk8s.verbs import lock as lock_verb
from sdsk8s.verbs import runs as verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

SETTINGS = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=SETTINGS)
def runs() -> None:
    """Records of past runs (SDS_HOME/runs)."""


@runs.command("ls")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest so many.")
@site_options
def ls(limit: int, **kw: Any) -> None:
    """List runs, newest first."""
    verb.ls(Console(), Options(**kw), limit)


@runs.command("show")
@click.argument("run")
@site_options
def show(run: str, **kw: Any) -> None:
    """One run and its steps. RUN is an id, the beginning of one, or `last`."""
    verb.show(Console(), Options(**kw), run)


@click.group(context_settings=SETTINGS)
def lock() -> None:
    """The site's lock: one run at a time."""


@lock.command("status")
@site_options
def lock_status(**kw: Any) -> None:
    """Who holds the lock."""
    lock_verb.status(Session(Options(**kw)))


@lock.command("release")
@click.option("--force", is_flag=True, help="Even if the run that holds it seems to be alive.")
@site_options
def lock_release(force: bool, **kw: Any) -> None:
    """Release a lock that a dead run has left behind. It would expire by itself within half a minute."""
    lock_verb.release(Session(Options(**kw)), force=force)
