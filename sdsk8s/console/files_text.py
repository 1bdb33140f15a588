"""`files diff|upgrade` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sdsk8s.model.site_file import SAME, WORDS, Change


def diff_notes(rows: Sequence[Mapping[str, Any]], own: Sequence[str], unread: Sequence[str]) -> Iterator[str]:
    """What is said beside the diffs. rows: of the JSON form; own, unread: files without a shipped version."""
    equal = sum(row["state"] == SAME for row in rows)
    for row in rows:
        if row["state"] != SAME:
            yield f"{row['name']}: {WORDS[row['state']]}"
    for name in unread:
        yield f"{name}: nothing reads it; this template only counts in the source tree"
    mine = f"; {len(own)} of the site's own, without a shipped version" if own else ""
    yield f"{len(rows)} with a shipped version, {equal} as shipped{mine}"
    if equal != len(rows):
        yield "try next: sdsk8s files upgrade --dry-run"


def change_lines(todo: Sequence[Change]) -> Iterator[str]:
    """What an upgrade would do to each file."""
    rows = [c for c in todo if c.action not in ("keep", "record") or c.words]
    width = max((len(c.name) for c in rows), default=0)
    for c in rows:
        yield f"{c.action:<9} {c.name:<{width}}  {WORDS[c.state]}"
        if c.words:
            yield f"{'':<9} {'':<{width}}  {c.words}"
    if not rows:
        yield "nothing to do: every file is as shipped, or newer than its shipped version"
