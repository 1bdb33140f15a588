"""Progress of a run on a terminal: a live tree on stderr."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from sdsk8s.planner.steps import Step
from sdsk8s.runner.run import Outcome


class LiveProgress:
    """A tree that shows what runs now, how long, and its last words; finished steps scroll up above it."""

    def __init__(self, total: int) -> None:
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
        with self._lock:
            self._now.pop(number, None)
            self._done += 1
        mark, style = ("✓", "green") if outcome.state == "done" else ("✗", "bold red")
        fact = f"  {outcome.fact}" if outcome.fact else ""
        self._console.print(
            Text.assemble((f" {mark} ", style), step.title(), (f"  {outcome.seconds:.1f} s{fact}", "dim"))
        )

    def _view(self) -> Any:
        with self._lock:
            running = sorted(self._now.items())
        tree = Tree(Text(f"{self._done} of {self._total} steps", style="bold"))
        for _number, (step, since, text) in running:
            head = Text.assemble(("… ", "cyan"), step.title(), (f"  {time.monotonic() - since:.0f} s", "dim"))
            branch = tree.add(head)
            for part in text.splitlines()[-4:]:
                branch.add(Text(part, style="dim"))
        return tree
