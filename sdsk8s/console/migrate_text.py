"""The report of `assess` and `migrate import`: lines for people, JSON, and the exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding

TITLES = {TAKEN: "taken over", CHANGED: "changed meaning", NONE: "no counterpart"}


def findings_as_dict(found: Sequence[Finding], **done: Any) -> dict[str, Any]:
    """The JSON form. done: what an import did."""
    return {"version": 1, **done, "findings": [_row(f) for f in found]}


def _row(f: Finding) -> dict[str, Any]:
    return {
        "kind": f.level, "subject": f.subject, "words": f.words, "file": f.file, "line": f.line, "key": f.key,
    }  # fmt: skip


def finding_lines(found: Sequence[Finding]) -> Iterator[str]:
    """The findings by their kind, each with its place."""
    for kind, title in TITLES.items():
        part = [f for f in found if f.level == kind]
        yield f"== {title}: {len(part)}"
        for f in part:
            yield f"  {f.place or '-'}  {f.subject}: {f.words}"


def exit_code(found: Sequence[Finding], *, strict: bool) -> int:
    """1 with strict when anything changed its meaning or has no counterpart."""
    return 1 if strict and any(f.level != TAKEN for f in found) else 0
