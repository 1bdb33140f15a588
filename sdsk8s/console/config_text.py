"""Findings of `config check` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sdsk8s.model.finding import Finding, counted


def finding_lines(path: Path, found: Sequence[Finding]) -> Iterator[str]:
    """One line per finding with its place, its cure below it, the counts at the end. path: the configuration file."""
    for f in sorted(found, key=lambda f: (f.file, f.line)):
        place = f"{f.file or path}:{f.line}" if f.line else str(path)
        yield f"{f.level:<8} {place}  {f.subject + ': ' if f.subject else ''}{f.words}"
        if f.cure:
            yield f"{'':9}try: {f.cure}"
    yield counted(found, dict.fromkeys(f.level for f in found)) or f"{path}: nothing odd"


def findings_as_rows(path: Path, found: Sequence[Finding]) -> list[dict[str, Any]]:
    """The JSON form."""
    return [
        {
            "level": f.level,
            "key": f.subject,
            "line": f.line,
            "words": f.words,
            "cure": f.cure,
            "file": f.file or str(path),
        }
        for f in found
    ]
