"""Progress of a run on stderr: a live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, TextIO

from sdsk8s.planner.steps import Step
from sdsk8s.runner.run import Outcome, Progress

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


class LiveProgress:
    """A tree that shows what runs now, how long, and its last words; finished steps scroll up above it."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.live import Live

        self._total = total
        self._console = Console(stderr=True, highlight=False)
        self._now: dict[int, tuple[Step, float, str]] = {}
        self._done = 0
        self._lock = threading.Lock()
        self._live = Live(get_renderable=self._view, console=self._console, refresh_per_second=5, transient=True)

    def __enter__(self) -> LiveProgress:
        self._live.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._live.__exit__(*args)

    def begin(self, number: int, step: Step) -> None:
        with self._lock:
            self._now[number] = (step, time.monotonic(), "")

    def line(self, number: int, step: Step, text: str) -> None:
        with self._lock:
            if number in self._now:
                self._now[number] = (step, self._now[number][1], text)

    def end(self, number: int, step: Step, outcome: Outcome) -> None:
        from rich.text import Text

        with self._lock:
            self._now.pop(number, None)
            self._done += 1
        mark, style = ("✓", "green") if outcome.state == "done" else ("✗", "bold red")
        fact = f"  {outcome.fact}" if outcome.fact else ""
        self._console.print(
            Text.assemble((f" {mark} ", style), step.title(), (f"  {outcome.seconds:.1f} s{fact}", "dim"))
        )

    def _view(self) -> Any:
        from rich.text import Text
        from rich.tree import Tree

        with self._lock:
            running = sorted(self._now.items())
        tree = Tree(Text(f"{self._done} of {self._total} steps", style="bold"))
        for _number, (step, since, text) in running:
            head = Text.assemble(("… ", "cyan"), step.title(), (f"  {time.monotonic() - since:.0f} s", "dim"))
            branch = tree.add(head)
            for part in text.splitlines()[-4:]:
                branch.add(Text(part, style="dim"))
        return tree


def plain(total: int) -> Progress:
    """Plain lines on stderr."""
    return PlainProgress(total, sys.stderr)
