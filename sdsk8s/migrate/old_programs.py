"""What an old site starts: programs that are watched, and timers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OldProgram:
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
