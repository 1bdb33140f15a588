"""`runs` and `lock`: what was done, by whom, and who is at it now."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.leases import Lock

SETTINGS = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=SETTINGS)
def runs() -> None:
    """Records of past runs (SDS_HOME/runs)."""


@runs.command("ls")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Newest so many.")
@site_options
def ls(limit: int, **kw: Any) -> None:
    """List runs, newest first."""
    from sdsk8s.cli.render import print_table

    options = Options(**kw)
    heads = [_judged(head) for head in _heads(options)[:limit]]
    if options.output == "json":
        click.echo(json.dumps({"version": 1, "runs": heads}, indent=2))
        return
    rows = [("RUN", "VERB", "TARGET", "STATE", "SECONDS", "WHO")]
    rows += [(h["run"], h["verb"], h["target"], h["state"], _seconds(h), h["who"]) for h in heads]
    print_table(rows)


@runs.command("show")
@click.argument("run")
@site_options
def show(run: str, **kw: Any) -> None:
    """One run and its steps. RUN is an id, the beginning of one, or `last`."""
    options = Options(**kw)
    head = _judged(_find(_heads(options), run))
    steps = _steps(_folder(options) / head["run"] / "journal.jsonl")
    if options.output == "json":
        click.echo(json.dumps({"version": 1, **head, "steps": steps}, indent=2))
        return
    click.echo(f"run {head['run']}: {head['verb']} {head['target']} in namespace {head['namespace']}, {head['state']}")
    end = (
        f"to {head['ended']}"
        if head["ended"]
        else "and goes on"
        if head["state"] == "running"
        else "until it was killed"
    )
    click.echo(f"  {head['who']}, from {head['started']} {end}")
    for s in steps:
        seconds = f"  {s['seconds']:.1f} s" if s["seconds"] is not None else ""
        click.echo(f"  {s['step']:>3}. {s['state']:<8} {s['title']}{seconds}" + (f"  {s['fact']}" if s["fact"] else ""))
        if s["error"]:
            click.echo(f"       {s['error']}")


def _folder(options: Options) -> Path:
    from sdsk8s.site.folder import home_folder

    return home_folder(options.home) / "runs"


def _heads(options: Options) -> list[dict[str, Any]]:
    from sdsk8s.runner.journal import read_runs

    return read_runs(_folder(options).parent)


def _find(heads: list[dict[str, Any]], run: str) -> dict[str, Any]:
    from sdsk8s.errors import UsageError

    hits = heads[:1] if run == "last" else [h for h in heads if str(h["run"]).startswith(run)]
    if len(hits) == 1:
        return hits[0]
    words = "it could be " + ", ".join(str(h["run"]) for h in hits[:5]) if hits else ""
    raise UsageError(
        f'{"several runs begin" if hits else "no run begins"} with "{run}"', words=words, next="sdsk8s runs ls"
    )


def _judged(head: dict[str, Any]) -> dict[str, Any]:
    """A run that says `running` but whose process on this host is gone was broken off."""
    host = str(head.get("who", "")).rpartition("@")[2]
    if head.get("state") == "running" and host == socket.gethostname() and not _alive(int(head.get("pid") or 0)):
        return {**head, "state": "broken off"}
    return head


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _seconds(head: dict[str, Any]) -> str:
    if not head.get("ended"):
        return ""
    return str(int((datetime.fromisoformat(head["ended"]) - datetime.fromisoformat(head["started"])).total_seconds()))


def _steps(journal: Path) -> list[dict[str, Any]]:
    """One entry per step, folded from its lines; a half-written last line is left out."""
    found: dict[int, dict[str, Any]] = {}
    for raw in journal.read_text().splitlines() if journal.exists() else ():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        empty = {"step": line["step"], "title": "", "state": "begun", "seconds": None, "fact": "", "error": ""}
        step = found.setdefault(line["step"], empty)
        step["title"] = line.get("title", step["title"])
        if line["event"] != "begin":
            step["state"] = line["event"]
            step |= {k: line[k] for k in ("seconds", "fact", "error") if k in line}
    return [found[n] for n in sorted(found)]


@click.group(context_settings=SETTINGS)
def lock() -> None:
    """The site's lock: one run at a time."""


@lock.command("status")
@site_options
def lock_status(**kw: Any) -> None:
    """Who holds the lock."""
    options = Options(**kw)
    found = _lock(options).status()
    if options.output == "json":
        body = {"version": 1, "held": found is not None, **(dataclasses.asdict(found) if found else {})}
        click.echo(json.dumps(body, indent=2))
    elif found is None:
        click.echo("nobody holds the lock")
    else:
        state = "expired" if found.expired else "held"
        click.echo(f"{state}: {found.message}")
        click.echo(f"  by {found.holder} since {found.since}, renewed {found.age:.0f} s ago")


@lock.command("release")
@click.option("--force", is_flag=True, help="Also when the run that holds it seems to be alive.")
@site_options
def lock_release(force: bool, **kw: Any) -> None:
    """Release a lock that a dead run has left behind. It would expire by itself within half a minute."""
    from sdsk8s.errors import RefusedError

    held = _lock(Options(**kw))
    found = held.status()
    if found is None:
        click.echo("nobody holds the lock")
        return
    if not found.expired and not force:
        raise RefusedError(
            f"a run that is alive holds the lock: {found.message}",
            target=f"lock {held.name}",
            words=f"held by {found.holder} since {found.since}, renewed {found.age:.0f} s ago",
            next="wait for its end; sdsk8s lock release --force when you know that it is dead",
        )
    held.release(force=True)
    click.echo(f"released: {found.message}, held by {found.holder}")


def _lock(options: Options) -> Lock:
    from sdsk8s.backends.kubernetes.leases import Lock
    from sdsk8s.runner.journal import who
    from sdsk8s.verbs.session import Session

    session = Session(options)
    return Lock(session.cluster, f"sdsk8s-{session.site.name}", who(), "lock release")
