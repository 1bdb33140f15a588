"""How long, and how often, something is tried again: one rule for requests, streams and copies."""

from __future__ import annotations

import time


class Backoff:
    """Pauses that double, from `first` to `longest` seconds."""

    def __init__(self, first: float = 0.2, longest: float = 3.0) -> None:
        self._start = time.monotonic()
        self._next = first
        self._longest = longest

    def pause(self, patience: float, at_least: float = 0.0) -> bool:
        """Sleep before the next try. False, at once, when that would end later than `patience` seconds after the start.

        at_least: seconds that the other side has asked for.
        """
        wait = max(self._next, at_least)
        if time.monotonic() + wait > self._start + patience:
            return False
        time.sleep(wait)
        self._next = min(self._next * 2, self._longest)
        return True
