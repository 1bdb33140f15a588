"""One line of a check: of `doctor`, `lint`, `config check`, `assess` and `migrate import`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OK, NOTE, WARNING, MISSING, BROKEN = "ok", "note", "warning", "missing", "broken"
"""In order: fine; worth knowing; a risk; missing; wrong."""
TAKEN, CHANGED, NONE = "taken", "changed", "none"
"""Levels of a migration: same meaning; a visible difference; no counterpart."""


@dataclass(frozen=True)
class Finding:
    """level: one of the words above; subject: what it is about; words: what was found.

    file  and line (1-based, 0: the whole file): its place
    key   by which a program tells it from others: lint's rule, a key of a program
    cure  what to do, "" when nothing has to be done or nobody knows
    says  what the system below said itself, as it is
    """

    level: str
    subject: str
    words: str
    file: str = ""
    line: int = 0
    key: str = ""
    cure: str = ""
    says: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def level(ok: bool | None) -> str:
    """Of a check that answers yes, no or (None) "not quite"."""
    return {True: OK, None: WARNING, False: BROKEN}[ok]


def counted(found: Sequence[Finding], levels: Iterable[str]) -> str:
    """`2 ok, 1 broken`: how many there are of each level."""
    counts = {level: sum(f.level == level for f in found) for level in levels}
    return ", ".join(f"{n} {level}" for level, n in counts.items() if n)
