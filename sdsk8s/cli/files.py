"""`files diff|upgrade`: the site's templates beside the shipped ones."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.console.console import Console
from sdsk8s.errors import PartialError, RefusedError, UsageError

if TYPE_CHECKING:
    from sdsk8s.model.site import Site
    from sdsk8s.model.site_file import Change
    from sdsk8s.site.shipped import Record, Shipped

HOME = click.option("--home", envvar="SDS_HOME", help="Site folder instead of ~/.sds.")
OUTPUT = click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT")


@click.group()
def files() -> None:
    """The site's `files` folder: what differs from the shipped versions, and bringing it up to them."""


@files.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@OUTPUT
@HOME
def diff(names: tuple[str, ...], output: str, home: str | None) -> None:
    """Differences as unified diffs, shipped first. Exit code 0 when there are none, else 1.

    A template that the site does not have, and that verbs find where it is shipped, is no difference.
    """
    from sdsk8s.model.site_file import MISSING, SAME, WORDS
    from sdsk8s.site.upgrade import state

    site, entries, record = _load(home, names)
    rows: list[dict[str, Any]] = []
    for entry in entries:
        now = state(Path(site.home), entry, record.base(entry.name))
        if now == MISSING and not entry.needed:
            continue
        text = "" if now == SAME else "".join(_diffs(site, entry))
        rows.append({"name": entry.name, "state": now, "shipped": [str(p) for p in entry.origins], "diff": text})
    same = all(row["state"] == SAME for row in rows)
    own, unread = _others(site, names)
    if output == "json":
        body = {"version": 1, "same": same, "files": rows, "own": own, "unread": unread}
        click.echo(json.dumps(body, indent=2))
    else:
        for row in rows:
            click.echo(row["diff"], nl=False)
        for row in rows:
            if row["state"] != SAME:
                click.echo(f"{row['name']}: {WORDS[row['state']]}", err=True)
        for name in unread:
            click.echo(f"{name}: nothing reads it; this template only counts in the source tree", err=True)
        equal = sum(row["state"] == SAME for row in rows)
        mine = f"; {len(own)} of the site's own, without a shipped version" if own else ""
        click.echo(f"{len(rows)} with a shipped version, {equal} as shipped{mine}", err=True)
        if not same:
            click.echo("try next: sdsk8s files upgrade --dry-run", err=True)
    raise click.exceptions.Exit(0 if same else 1)


@files.command()
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option(
    "--take", type=click.Choice(["mine", "shipped"]),
    help="Settle files: keep the site's text and count the shipped one as merged, or take the shipped one.",
)  # fmt: skip
@click.option(
    "--base", "old", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="Versions that the site's files came from, where none is recorded: from an earlier release of sdsk8s.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Only say what would be done.")
@click.option("-y", "-f", "--yes", "yes", is_flag=True, envvar="SDS_YES", help="Do not ask.")
@OUTPUT
@HOME
def upgrade(
    names: tuple[str, ...], take: str | None, old: Path | None, dry_run: bool, yes: bool, output: str, home: str | None
) -> None:
    """Newer shipped versions into the site's files; changes made here are kept, by a merge of three.

    What was there stays beside as FILE.DATE.bak. A conflict leaves the file as it is and writes FILE.new.
    Exit code 0 when all is settled, 3 when some files are left to a person, 4 when nothing could be done.
    """
    from sdsk8s.site.upgrade import alone, carry_out, changes

    if take == "shipped" and not names:
        raise UsageError(
            "--take shipped replaces only files that are named", next="sdsk8s files upgrade FILE --take shipped"
        )
    site, entries, record = _load(home, names)
    place = Path(site.home)
    todo = changes(place, entries, record, take, old, named=bool(names))
    asks = any(c.action not in ("keep", "record", "refuse") for c in todo) and not dry_run and not yes
    if asks:
        Console().need_terminal("files upgrade")
    if output == "text" or asks:
        _show(todo)
    if asks and not click.confirm("Write these", err=True):
        return
    done: list[str] = []
    if not dry_run:
        with alone(place):
            # Once more: what was shown may be old by now.
            shown = todo
            site, entries, record = _load(home, names)
            todo = changes(place, entries, record, take, old, named=bool(names))
            if asks and todo != shown:
                raise RefusedError(
                    "the files have changed since this was shown; nothing was written", next="sdsk8s files upgrade"
                )
            done = carry_out(place, entries, record, todo)
    if output == "json":
        click.echo(
            json.dumps({"version": 1, "dry_run": dry_run, "files": [_row(c) for c in todo], "done": done}, indent=2)
        )
    for line in done if output == "text" else ():
        click.echo(line, err=True)
    left = [c.name for c in todo if c.open]
    if left:
        kind = PartialError if any(c.writes for c in todo) else RefusedError
        raise kind(f"left to a person: {', '.join(left)}", next=next(c.words for c in todo if c.open))


def _show(todo: Sequence[Change]) -> None:
    from sdsk8s.model.site_file import WORDS

    rows = [c for c in todo if c.action not in ("keep", "record") or c.words]
    width = max((len(c.name) for c in rows), default=0)
    for c in rows:
        click.echo(f"{c.action:<9} {c.name:<{width}}  {WORDS[c.state]}")
        if c.words:
            click.echo(f"{'':<9} {'':<{width}}  {c.words}")
    if not rows:
        click.echo("nothing to do: every file is as shipped, or newer than its shipped version")


def _row(change: Change) -> dict[str, str]:
    return {"name": change.name, "state": change.state, "action": change.action, "words": change.words}


def _load(home: str | None, names: Sequence[str]) -> tuple[Site, list[Shipped], Record]:
    """The site, the shipped files of these names (all without names), and the record."""
    from sdsk8s.model.names import unknown
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.folder import home_folder, load_site
    from sdsk8s.site.shipped import Record, shipped_files

    site = load_site(home_folder(home))
    entries = shipped_files(site, load_catalogue(site.manifests))
    known = {entry.name: entry for entry in entries}
    for name in names:
        if name not in known:
            raise UsageError(f"no file called {name} is shipped", words=unknown(name, known))
    return site, [known[n] for n in dict.fromkeys(names)] if names else entries, Record(Path(site.home))


def _others(site: Site, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names in the site's folder: without a shipped version, and of templates that are not looked for there."""
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.shipped import shipped_files, unread

    if names:
        return [], []
    catalogue = load_catalogue(site.manifests)
    shipped = {entry.name for entry in shipped_files(site, catalogue)}
    folder = Path(site.home) / "files"
    there = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    lost = [n for n in there if n in unread(catalogue)]
    return [n for n in there if n not in shipped and n not in lost and not n.endswith((".bak", ".new"))], lost


def _diffs(site: Site, entry: Shipped) -> list[str]:
    """One unified diff per different shipped version. Values of secret keys of the configuration are not shown."""
    path = Path(site.home) / "files" / entry.name
    ours = path.read_bytes() if path.exists() else b""
    out: list[str] = []
    for origin in {p.read_bytes(): p for p in reversed(entry.origins)}.values():
        try:
            old, new = origin.read_bytes().decode(), ours.decode()
        except UnicodeDecodeError:
            out.append(f"Binary files {origin} and {path} differ\n")
            continue
        for value in site.secret_values().values():
            old, new = old.replace(value, "***"), new.replace(value, "***")
        for line in difflib.unified_diff(
            old.splitlines(keepends=True), new.splitlines(keepends=True), str(origin), str(path)
        ):
            out.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return out
