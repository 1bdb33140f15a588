"""Progress of a copy on stderr: one line that changes on a terminal, else one every few seconds."""

from __future__ import annotations

import sys
import threading
import time
from typing import TextIO

from sdsk8s.errors import printable
from sdsk8s.model import text
from sdsk8s.model.copying import CopyPlan

_TERMINAL_SECONDS, _PLAIN_SECONDS = 0.2, 5.0


class Meter:
    """Bytes of all pods together, the rate of the last seconds, and the file that moves now."""

    def __init__(self, pods: int, out: TextIO | None = None) -> None:
        self._pods = pods
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._every = _TERMINAL_SECONDS if self._live else _PLAIN_SECONDS
        self._lock = threading.Lock()
        self._total = self._moved = self._then = 0
        self._last = time.monotonic()
        self._shown = False

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *args: object) -> None:
        if self._live and self._shown:
            self._out.write("\r\033[K")
            self._out.flush()

    def planned(self, pod: str, plan: CopyPlan) -> None:
        with self._lock:
            self._total += plan.size

    def moved(self, pod: str, size: int, name: str) -> None:
        self._moved += size
        now = time.monotonic()
        if now - self._last < self._every:
            return
        with self._lock:
            if now - self._last < self._every:
                return
            rate = (self._moved - self._then) / (now - self._last)
            self._last, self._then, self._shown = now, self._moved, True
            self._line(f"{_of(self._moved, self._total)}  {text.size(rate)}/s  {pod}: {printable(name)[-60:]}")

    def note(self, pod: str, text: str) -> None:
        with self._lock:
            if self._live and self._shown:
                self._out.write("\r\033[K")
            self._out.write(f"{pod}: {text}\n")
            self._out.flush()

    def _line(self, text: str) -> None:
        self._out.write(f"\r\033[K{text[:110]}" if self._live else text + "\n")
        self._out.flush()


def _of(moved: int, total: int) -> str:
    return f"{text.size(moved)} of {text.size(total)}"
