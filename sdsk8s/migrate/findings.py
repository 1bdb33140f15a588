"""One line of the report of a migration."""

from __future__ import annotations

from dataclasses import dataclass

TAKEN, CHANGED, NONE = "taken", "changed", "none"
"""Same meaning; a visible difference; no counterpart."""


@dataclass(frozen=True)
class Finding:
    """subject: what it is about; words: what became of it, or why nothing did; file and line (1-based, 0: whole)."""

    kind: str
    subject: str
    words: str
    file: str
    line: int = 0

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Program:
    """One process of the old site that is started and watched.

    command: one line as the old manager ran it; count: processes; signal: the one that stops it; grace: seconds
    until it is killed.
    """

    component: str
    name: str
    command: str
    file: str
    line: int
    environment: tuple[tuple[str, str], ...] = ()
    directory: str = ""
    count: int = 1
    signal: str = "TERM"
    grace: int = 10
    enabled: bool = True


@dataclass(frozen=True)
class Timer:
    """One line of a crontab. schedule: five fields that Kubernetes understands."""

    component: str
    name: str
    schedule: str
    command: str
    file: str
    line: int
    environment: tuple[tuple[str, str], ...] = ()
    zone: str = ""
