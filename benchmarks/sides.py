"""Two commands measured in turn (A B A B ...), so that both see the same machine; medians become a Row."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from table import Row

Call = Callable[[], None]


def shell(text: str, env: Mapping[str, str] | None = None) -> Call:
    """A call that runs a bash script, which must succeed; its output is shown only when it fails."""

    def call() -> None:
        done = subprocess.run(
            ["bash", "-ec", text], env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            sys.exit(f"{text}\nended with {done.returncode}:\n{done.stdout[-2000:]}")

    return call


def compare(
    work: str, against: str, ours: Call, theirs: Call, *, runs: int, wanted: float | None,
    before: Call | None = None, megabytes: float | None = None,
) -> Row:  # fmt: skip
    """One row of medians in seconds; of MB/s, of which more is better, when `megabytes` says how many are moved.

    before: called before each side, and not measured. One turn more than `runs` comes first and warms the caches.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for side, call in enumerate((ours, theirs)):
            if before:
                before()
            start = time.perf_counter()
            call()
            if turn:
                times[side].append(time.perf_counter() - start)
    mine, other = (statistics.median(t) for t in times)
    row = Row(work, against, mine, other, wanted, runs=runs)
    if megabytes:
        row = Row(work, against, megabytes / mine, megabytes / other, wanted, "MB/s", True, runs)
    note(row, f"load {os.getloadavg()[0]:.1f}")
    return row


def note(row: Row, more: str = "") -> None:
    """Progress, on stderr: the table comes at the end."""
    theirs = "" if row.theirs is None else f" against {row.theirs:.2f}, ratio {row.value:.2f}"
    print(f"{row.work}: {row.ours:.2f} {row.unit}{theirs} (wanted {row.limit}) {more}", file=sys.stderr, flush=True)
