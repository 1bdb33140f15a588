"""Progress of a run in plain lines on stderr; on a terminal live_progress.py shows a tree."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from sdsk8s.planner.steps import Step
    from sdsk8s.runner.run import Outcome

_MARK = {"done": "ok", "failed": "FAILED", "not tried": "-"}


class PlainProgress:
    """One line when a step ends, and one when what it waits for changes. For pipes, logs and scripts."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total = total
        self._out = out
        self._lock = threading.Lock()
        self._last: dict[int, str] = {}

    def begin(self, number: int, step: Step) -> None:
        pass

    def line(self, number: int, step: Step, text: str) -> None:
        if self._last.get(number) != text:
            self._last[number] = text
            self._print(f"[{number}/{self._total}]        {text}")

    def end(self, number: int, step: Step, outcome: Outcome) -> None:
        fact = f"  {outcome.fact}" if outcome.fact else ""
        self._print(f"[{number}/{self._total}] {_MARK[outcome.state]:<6} {step.title()}  {outcome.seconds:.1f} s{fact}")

    def _print(self, text: str) -> None:
        with self._lock:
            print(text, file=self._out, flush=True)
