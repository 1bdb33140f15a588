"""One line of the report of a migration."""

from __future__ import annotations

from dataclasses import dataclass

TAKEN, CHANGED, NONE = "taken", "changed", "none"
"""Same meaning; a visible difference; no counterpart."""


@dataclass(frozen=True)
class Finding:
    """subject: what it is about; words: what became of it, or why nothing did; file and line (1-based, 0: whole).

    key: for a key of a program, `COMPONENT: NAME KEY`.
    """

    kind: str
    subject: str
    words: str
    file: str
    line: int = 0
    key: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Program:
    """One process of the old site that is started and watched.

    command: one line as the old manager ran it; argv and values of environment: as Kubernetes writes them
    (sdsk8s/migrate/notation.py); count: processes; signal: the one that stops it; grace: seconds until it is killed;
    ready: seconds that it has to run until it counts as started; each: argv and environment of every process,
    when they name its number; trouble: why no container can run it, or "".
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
    argv: tuple[str, ...] = ()
    ready: int = 0
    each: tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Timer:
    """One line of a crontab, or a timer unit. schedule: five fields that Kubernetes understands.

    command: a line for /bin/sh; argv: instead of it, as Kubernetes writes it.
    """

    component: str
    name: str
    schedule: str
    command: str
    file: str
    line: int
    environment: tuple[tuple[str, str], ...] = ()
    zone: str = ""
    argv: tuple[str, ...] = ()
