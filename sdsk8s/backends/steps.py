"""What the back ends share to carry out steps of a Plan: where progress is reported, and the facts of one run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdsk8s.planner.steps import Step

Say = Callable[[str], None]
"""Takes one line of progress."""

Handler = Callable[[Any, Say], str | None]
"""Carries out one step of one type; returns a short fact for the journal and the table, or nothing."""

Handlers = Mapping[type[Step], Handler]


class Digests:
    """{image reference: digest} known in a run. Steps in parallel read and add."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._lock = threading.Lock()

    def add(self, ref: str, digest: str) -> None:
        with self._lock:
            self._known[ref] = digest

    def all(self) -> dict[str, str]:
        with self._lock:
            return dict(self._known)


@dataclass(frozen=True)
class RunFacts:
    """What a handler may need to know of the run.

    logs: the run's folder, for build logs. timeout: seconds for each wait.
    author: who, why and in which run, for what is recorded. cancelled: set at Ctrl-C.
    """

    digests: Digests
    logs: Path
    timeout: float
    author: Mapping[str, str]
    cancelled: threading.Event = field(default_factory=threading.Event)
