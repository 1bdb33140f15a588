"""`files diff|upgrade`: the site's templates beside the shipped ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.console.console import Console
from sdsk8s.console.files_text import change_lines, diff_notes
from sdsk8s.errors import PartialError, RefusedError, UsageError
from sdsk8s.model.names import unknown
from sdsk8s.model.site import Site
from sdsk8s.model.site_file import MISSING, SAME, Change
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.shipped import Record, Shipped, shipped_files, unread
from sdsk8s.site.upgrade import alone, carry_out, changes, state


@dataclass(frozen=True)
class Diff:
    """names: of shipped files, none for all. home: the site folder, None for the usual one."""

    home: str | None = None
    names: tuple[str, ...] = ()
    json: bool = False


@dataclass(frozen=True)
class Upgrade:
    """names: of shipped files, none for all. take: "mine" or "shipped" settles them without a merge.

    base: a folder of the versions that the site's files came from, where none is recorded.
    """

    home: str | None = None
    names: tuple[str, ...] = ()
    take: str | None = None
    base: Path | None = None
    dry_run: bool = False
    yes: bool = False
    json: bool = False


@dataclass(frozen=True)
class Files:
    """The site, the shipped files that are looked at, and the record of what they were merged from."""

    site: Site
    entries: list[Shipped]
    record: Record

    @property
    def home(self) -> Path:
        return Path(self.site.home)


def diff(console: Console, request: Diff) -> int:
    """Print the differences; 0 when there are none, else 1.

    A template that the site does not have, and that verbs find where it is shipped, does not count as a difference.
    """
    files = load(request.home, request.names)
    rows: list[dict[str, Any]] = []
    for entry in files.entries:
        now = state(files.home, entry, files.record.base(entry.name))
        if now == MISSING and not entry.needed:
            continue
        text = "" if now == SAME else "".join(_diffs(files.site, entry))
        rows.append({"name": entry.name, "state": now, "shipped": [str(p) for p in entry.origins], "diff": text})
    same = all(row["state"] == SAME for row in rows)
    own, lost = ([], []) if request.names else _others(files.site)
    if request.json:
        console.print_json({"version": 1, "same": same, "files": rows, "own": own, "unread": lost})
    else:
        for row in rows:
            console.write(row["diff"])
        for line in diff_notes(rows, own, lost):
            console.note(line)
    return 0 if same else 1


def upgrade(console: Console, request: Upgrade) -> int:
    """Merge newer shipped versions in; 0 when all is settled.

    PartialError when some files are left to a person, RefusedError when nothing could be done.
    """
    if request.take == "shipped" and not request.names:
        raise UsageError("--take shipped needs file names", next="sdsk8s files upgrade FILE --take shipped")
    files, todo = _look(request)
    asks = any(c.action not in ("keep", "record", "refuse") for c in todo) and not request.dry_run and not request.yes
    if asks:
        console.need_terminal("files upgrade")
    if not request.json or asks:
        for line in change_lines(todo):
            console.print(line)
    if asks and not console.agree("Write these"):
        return 0
    done: list[str] = []
    if not request.dry_run:
        with alone(files.home):
            # Once more: what was shown may be old by now.
            shown = todo
            files, todo = _look(request)
            if asks and todo != shown:
                raise RefusedError(
                    "the files have changed since this was shown; nothing was written", next="sdsk8s files upgrade"
                )
            done = carry_out(files.home, files.entries, files.record, todo)
    if request.json:
        body = {"version": 1, "dry_run": request.dry_run, "files": [_row(c) for c in todo], "done": done}
        console.print_json(body)
    for line in () if request.json else done:
        console.note(line)
    left = [c.name for c in todo if c.open]
    if left:
        kind = PartialError if any(c.writes for c in todo) else RefusedError
        raise kind(f"left for you to resolve: {', '.join(left)}", next=next(c.words for c in todo if c.open))
    return 0


def load(home: str | None, names: Sequence[str]) -> Files:
    """The site and the shipped files of these names (all without names). UsageError for a name that is not shipped."""
    site = load_site(home_folder(home))
    entries = shipped_files(site, load_catalogue(site.manifests))
    known = {entry.name: entry for entry in entries}
    for name in names:
        if name not in known:
            raise UsageError(f"no shipped file is called {name}", words=unknown(name, known))
    return Files(site, [known[n] for n in dict.fromkeys(names)] if names else entries, Record(Path(site.home)))


def _look(request: Upgrade) -> tuple[Files, list[Change]]:
    files = load(request.home, request.names)
    named = bool(request.names)
    return files, changes(files.home, files.entries, files.record, request.take, request.base, named=named)


def _row(change: Change) -> dict[str, str]:
    return {"name": change.name, "state": change.state, "action": change.action, "words": change.words}


def _others(site: Site) -> tuple[list[str], list[str]]:
    """Names in the site's folder: without a shipped version, and of templates that are not looked for there."""
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
