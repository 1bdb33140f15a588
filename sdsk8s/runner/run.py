"""Runs a Plan: order, concurrency, journal, progress, and the table at the end."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from sdsk8s.backends.steps import Say
from sdsk8s.errors import Interrupted, SdsError, StepError
from sdsk8s.planner.steps import Group, Node, Plan, Step
from sdsk8s.runner.journal import Journal


class Executor(Protocol):
    """Does one step for real. `say` takes lines of progress; a failure is an SdsError."""

    def execute(self, step: Step, say: Say) -> str:
        """Returns a short fact for the journal and the table (a digest, a count), or an empty string."""
        ...

    def cancel(self) -> None:
        """End waits soon, with Interrupted; called at Ctrl-C."""
        ...


class Progress(Protocol):
    """Shows a run while it goes on."""

    def begin(self, number: int, step: Step) -> None: ...
    def line(self, number: int, step: Step, text: str) -> None: ...
    def end(self, number: int, step: Step, outcome: Outcome) -> None: ...


@dataclass
class Outcome:
    """state: done, failed, or not tried. Seconds are None for what was not tried; began counts from the run's start."""

    number: int
    step: Step
    state: str = "not tried"
    seconds: float | None = None
    began: float | None = None
    fact: str = ""
    error: SdsError | None = None


@dataclass
class Report:
    """What became of each step, in plan order."""

    run_id: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False

    def failed(self) -> list[Outcome]:
        return [o for o in self.outcomes if o.state == "failed"]

    def state(self) -> str:
        """done, failed (nothing was done), partial or interrupted."""
        if self.interrupted:
            return "interrupted"
        if not self.failed():
            return "done"
        return "partial" if any(o.state == "done" for o in self.outcomes) else "failed"


class _Stop(Exception):
    """Ends the enclosing groups after a failed step."""


def run(plan: Plan, executor: Executor, journal: Journal, progress: Progress, *, workers: int = 8) -> Report:
    """Run every step. A failure lets running neighbours finish, starts nothing new, and is in the report.

    Ctrl-C does the same; the journal then says `interrupted`.
    """
    report = Report(journal.run_id, [Outcome(i, s) for i, s in enumerate(plan.steps(), 1)])
    numbers = {id(o.step): o for o in report.outcomes}
    stop = threading.Event()
    begun = time.monotonic()

    def one(step: Step) -> None:
        if stop.is_set():
            raise _Stop
        outcome = numbers[id(step)]
        start = time.monotonic()
        outcome.began = start - begun
        journal.record(outcome.number, "begin", title=step.title(), undo=step.undo())
        progress.begin(outcome.number, step)
        try:
            outcome.fact = executor.execute(step, lambda text: progress.line(outcome.number, step, text))
            outcome.state = "done"
        except SdsError as err:
            outcome.error = err
        except KeyboardInterrupt:
            outcome.error = Interrupted("interrupted", target=step.title())
            raise
        except Exception as err:  # a defect of ours must still end in the table and the journal
            outcome.error = StepError(f"{step.title()}: {type(err).__name__}", words=str(err))
        finally:
            outcome.seconds = round(time.monotonic() - start, 2)
            if outcome.error is not None:
                outcome.state = "failed"
                stop.set()
            facts = {"seconds": outcome.seconds, "fact": outcome.fact}
            if outcome.error is not None:
                facts["error"] = outcome.error.what
            journal.record(outcome.number, outcome.state, **facts)
            progress.end(outcome.number, step, outcome)
        if outcome.error is not None:
            raise _Stop

    def node(item: Node) -> None:
        if not isinstance(item, Group):
            one(item)
        elif item.parallel and len(item.children) > 1:
            side_by_side(item)
        else:
            for child in item.children:
                node(child)

    def side_by_side(item: Group) -> None:
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="step") as pool:
            futures = [pool.submit(node, child) for child in item.children]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            except KeyboardInterrupt:
                stop.set()
                executor.cancel()
                raise
        for future in futures:
            future.result()

    try:
        node(plan.root)
    except _Stop:
        pass
    except KeyboardInterrupt:
        report.interrupted = True
    report.seconds = round(time.monotonic() - begun, 1)
    journal.close(report.state())
    return report
