"""Several slow questions at once, none of which may hold up the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from sdsk8s.errors import SdsError, StepError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def together(
    jobs: Mapping[K, Callable[[], V]], seconds: float = threading.TIMEOUT_MAX, *, workers: int = 16
) -> dict[K, V | SdsError]:
    """{key: result or error}, in the order of the jobs. A job that has not ended by then is an error like any other.

    The threads are daemons: one that hangs in a system call does not keep the command from ending.
    """
    found: dict[K, V | SdsError] = {}
    todo = list(jobs.items())
    lock = threading.Lock()
    done = threading.Semaphore(0)

    def work() -> None:
        while True:
            with lock:
                if not todo:
                    return
                key, job = todo.pop(0)
            result: V | SdsError
            try:
                result = job()
            except SdsError as err:
                result = err
            except Exception as err:  # one broken question must not hide the other answers
                result = StepError(f"unexpected error: {type(err).__name__}", words=str(err))
            with lock:
                found[key] = result
            done.release()

    for _ in range(min(workers, len(todo))):
        threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + seconds
    for _ in jobs:
        if not done.acquire(timeout=min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)):
            break
    with lock:
        todo.clear()
        late = StepError(f"no answer within {seconds:.0f} s")
        return {key: found.get(key, late) for key in jobs}
