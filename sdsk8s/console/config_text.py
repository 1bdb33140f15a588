"""Findings of `config check` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sdsk8s.model.config_check import Finding


def finding_lines(path: Path, found: Sequence[Finding]) -> Iterator[str]:
    """One line per finding with its place, its cure below it, the counts at the end. path: the configuration file."""
    for f in sorted(found, key=lambda f: (f.file, f.line)):
        place = f"{f.file or path}:{f.line}" if f.line else str(path)
        yield f"{f.level:<8} {place}  {f.key + ': ' if f.key else ''}{f.words}"
        if f.cure:
            yield f"{'':9}try: {f.cure}"
    counts = {level: sum(f.level == level for f in found) for level in dict.fromkeys(f.level for f in found)}
    yield ", ".join(f"{n} {level}" for level, n in counts.items()) or f"{path}: nothing odd"
