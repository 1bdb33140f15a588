"""Does the steps of a Plan: each step type has one handler, which its back end gives when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from sdsk8s.backends.steps import Handler, Handlers, Say
from sdsk8s.errors import StepError
from sdsk8s.planner.steps import Step

Opener = Callable[[], Handlers]
"""Opens a back end: connects where it must, and returns its handlers."""


class Executor:
    """openers: {name of a back end: its opener}; a step says by `Step.backend` which one does it.

    A plan without steps of a back end never opens it. Safe to use from several threads.
    """

    def __init__(self, openers: Mapping[str, Opener], cancelled: threading.Event) -> None:
        self._openers = openers
        self._handlers: dict[type[Step], Handler] = {}
        self._opened: set[str] = set()
        self._lock = threading.Lock()
        self._cancelled = cancelled

    def execute(self, step: Step, say: Say) -> str:
        """Returns a short fact for the journal and the table. A failure is an SdsError."""
        return self._handler(step)(step, say) or ""

    def cancel(self) -> None:
        """End waits soon; called at Ctrl-C."""
        self._cancelled.set()

    def _handler(self, step: Step) -> Handler:
        with self._lock:
            if step.backend not in self._opened and step.backend in self._openers:
                self._handlers |= self._openers[step.backend]()
                self._opened.add(step.backend)
            found = self._handlers.get(type(step))
        if found is None:
            raise StepError(f"{step.title()}: no back end does steps of the type {type(step).__name__}")
        return found
