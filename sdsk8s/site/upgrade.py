"""Brings a site's files up to the shipped versions: what would be done (`changes`), and doing it (`carry_out`)."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdsk8s.errors import ConfigError, RefusedError
from sdsk8s.model.site_file import BOTH, EDITED, MISSING, OLD, SAME, SEVERAL, UNKNOWN, WORDS, Change, judge
from sdsk8s.site.shipped import Record, Shipped, write_private

MARK = b"<<<<<<< files/"
"""Begins a conflict in a FILE.new."""


def read(path: Path) -> bytes | None:
    """None when it is not there. ConfigError for a folder in its place, or for a file that cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as err:
        raise ConfigError("this file cannot be read", target=str(path), words=str(err.strerror)) from None


def state(home: Path, entry: Shipped, base: bytes | None) -> str:
    """One of the states of sdsk8s/model/site_file.py."""
    ours, texts = read(home / "files" / entry.name), entry.texts()
    if len(texts) > 1 and ours is not None:
        return SAME if ours in texts else EDITED if base == entry.identity() else SEVERAL
    return judge(ours, texts[0], base)


def changes(
    home: Path, shipped: Sequence[Shipped], record: Record, take: str | None = None, old: Path | None = None,
    *, named: bool = True,
) -> list[Change]:  # fmt: skip
    """One per file. take: "mine" or "shipped" settles what a person must decide; old: folder with the versions that
    the site's files came from, for those of which none is recorded.

    named: the files are those that somebody asked for; otherwise `take` only settles where no version is recorded.
    """
    found = [_change(home, entry, record, take if named else None, old) for entry in shipped]
    if take and not named:
        loose = {c.name for c in found if c.state in (UNKNOWN, SEVERAL)}
        found = [_change(home, s, record, take if s.name in loose else None, old) for s in shipped]
    return found


def _change(home: Path, entry: Shipped, record: Record, take: str | None, old: Path | None) -> Change:
    name, path = entry.name, home / "files" / entry.name
    base = record.base(name)
    if base is None and old is not None:
        base = read(old / name)
    ours, now = read(path), state(home, entry, base)
    shipped = entry.texts()[0]
    if now == MISSING:
        return Change(name, now, "copy" if entry.needed or take == "shipped" else "keep", text=shipped)
    assert ours is not None
    known = record.base(name) == entry.identity()
    if now == SAME or (now == EDITED and take != "shipped"):
        return Change(name, now, "keep" if known else "record")
    if take == "mine" and MARK in ours:
        return Change(name, now, "refuse", f"{path} still contains conflict markers ({MARK.decode()}...)")
    if take == "mine":
        return Change(name, now, "record", "kept as it is")
    if len(entry.texts()) > 1:
        words = f"compare them (files diff {name}), then files upgrade {name} --take mine; or remove it: {WORDS[now]}"
        return Change(name, now, "refuse", words)
    if now == OLD or take == "shipped":
        return Change(name, now, "replace", text=shipped)
    if now == UNKNOWN:
        words = f"files upgrade {name} --take mine keeps it, and newer shipped versions are merged from now on"
        return Change(name, now, "refuse", words)
    assert now == BOTH and base is not None
    merged, clean = merge(name, ours, base, shipped)
    if clean and not _breaks_json(merged, ours, shipped):
        return Change(name, now, "merge", text=merged)
    beside = path.with_name(name + ".new")
    words = f"resolve the conflict in {beside}, move that file to {path}, then run files upgrade {name} --take mine"
    there = read(beside)
    if there is not None and there != merged:
        return Change(name, now, "refuse", f"{beside} already exists: {words}")
    return Change(name, now, "conflict", words, text=merged)


def merge(name: str, ours: bytes, base: bytes, shipped: bytes) -> tuple[bytes, bool]:
    """Three ways, by `git merge-file`: (text, whether without conflicts). Conflicts are marked, with the base."""
    git = shutil.which("git")
    if git is None:
        raise ConfigError("a merge needs git, which is not installed", target=name, next="apt-get install git")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for label, data in (("site", ours), ("base", base), ("shipped", shipped)):
            paths.append(Path(folder) / label)
            paths[-1].write_bytes(data)
        labels = ("-L", f"files/{name} (site)", "-L", "what it came from", "-L", "shipped now")
        done = subprocess.run(
            [git, "merge-file", "-p", "--diff3", *labels, *paths], capture_output=True, check=False, cwd=folder
        )
    if done.returncode < 0 or done.returncode > 127:
        words = done.stderr.decode(errors="replace")
        raise ConfigError("this file cannot be merged", target=name, words=words, next="--take mine|shipped")
    return done.stdout, done.returncode == 0


def _breaks_json(merged: bytes, ours: bytes, shipped: bytes) -> bool:
    """Both sides are JSON and the merged text is none: lines that merge may still not make one document."""
    try:
        json.loads(ours)
        json.loads(shipped)
    except ValueError:
        return False
    try:
        json.loads(merged)
    except ValueError:
        return True
    return False


def carry_out(home: Path, shipped: Sequence[Shipped], record: Record, todo: Sequence[Change]) -> list[str]:
    """Returns what was done, for people. Each file is written beside and switched; its base is noted after it."""
    bases = {s.name: s.identity() for s in shipped}
    files, done = home / "files", []
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for change in todo:
        # A link stays one: what it leads to is written.
        path = (files / change.name).resolve()
        if change.writes:
            assert change.text is not None
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
            if path.exists():
                backup = _free(files / f"{change.name}.{stamp}.bak")
                shutil.copy2(path, backup)
                backup.chmod(0o600)
                done.append(f"{backup}: backup of the previous file")
            write_private(path, change.text, mode)
            done.append(f"{files / change.name}: {change.action}d" if change.action != "copy" else f"{path}: copied")
        elif change.action == "conflict":
            assert change.text is not None
            write_private(files / f"{change.name}.new", change.text)
            done.append(f"{files / change.name}.new: both versions, with conflict markers; {change.name} is unchanged")
        if change.writes or change.action == "record":
            record.note({change.name: bases[change.name]})
    return done


def _free(path: Path) -> Path:
    """The path, or the first with a number that is not taken."""
    return next(p for n in range(1000) if not (p := path if not n else path.with_name(f"{path.stem}-{n}.bak")).exists())


@contextlib.contextmanager
def alone(home: Path) -> Iterator[None]:
    """RefusedError while another upgrade of this site's files runs."""
    folder = home / "shipped"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("another upgrade of these files is running", target=str(folder / "lock")) from None
        yield
