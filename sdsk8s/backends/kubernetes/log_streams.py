"""Reads the logs of many containers at once: to the end, or following them through restarts and cut connections."""

from __future__ import annotations

import heapq
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sdsk8s.errors import ClusterError, SdsError
from sdsk8s.model.kube import Object
from sdsk8s.model.logs import LogLine, LogSource, container_state, order, parse_line

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

Pick = Callable[[Sequence[Object]], list[LogSource]]
"""From the namespace's pods, the containers to read."""
POLL_SECONDS = 1.0
_QUEUED = 10_000


@dataclass(frozen=True)
class Window:
    """How far back to read. tail: lines per container, None for all; since: seconds; previous: the container before."""

    tail: int | None = None
    since: int | None = None
    previous: bool = False


def read(cluster: Cluster, sources: list[LogSource], window: Window, note: Callable[[str], None]) -> Iterator[LogLine]:
    """Lines of all containers by time. What cannot be read becomes a note, the others are read nevertheless."""

    def one(source: LogSource) -> Iterator[LogLine]:
        said = list[str]()
        empty = True
        for line in _lines(cluster, source, window, said):
            empty = False
            yield line
        if window.previous and empty and container_state(cluster.get("Pod", source.pod), source)[1] != "running":
            # The node keeps one ended container, and between two restarts that is the newest one.
            said = ["the previous log is no longer kept; this is the log of the container that ended last"]
            yield from _lines(cluster, source, replace(window, previous=False), said)
        for text in said:
            note(f"{source.pod} {source.container}: {text}")

    yield from heapq.merge(*(one(s) for s in sources), key=order)


def _lines(cluster: Cluster, source: LogSource, window: Window, said: list[str]) -> Iterator[LogLine]:
    """Lines of one container; what the server or the kubelet says instead of lines is added to `said`."""
    before = ""
    try:
        for raw in cluster.logs(
            source.pod, source.container, tail=window.tail, since=window.since, previous=window.previous,
            timestamps=True,
        ):  # fmt: skip
            line = parse_line(source, raw, before)
            if isinstance(line, str):
                said.append(line)
            else:
                before = line.stamp
                yield line
    except ClusterError as err:
        said.append(err.words or err.what)


class Follower:
    """Follows what `pick` chooses, pods that appear later included. Threads are daemons; lines() runs until Ctrl-C."""

    def __init__(
        self, cluster: Cluster, selector: str, pick: Pick, window: Window, note: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._selector = selector
        self._pick = pick
        self._window = window
        self._note = note
        self._lines: queue.Queue[LogLine] = queue.Queue(_QUEUED)
        self._known: set[LogSource] = set()
        self._failure: SdsError | None = None

    def lines(self) -> Iterator[LogLine | None]:
        """Lines as they come; None whenever nothing waits, so that output can be flushed."""
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            try:
                yield self._lines.get_nowait()
            except queue.Empty:
                yield None
                if self._failure is not None:
                    raise self._failure from None
                try:
                    yield self._lines.get(timeout=0.2)
                except queue.Empty:
                    continue

    def _watch(self) -> None:
        first = True
        try:
            while True:
                found = self._pick(self._cluster.list("Pod", self._selector))
                if first and not found:
                    self._note("no container runs yet, waiting for one")
                for source in found:
                    if source not in self._known:
                        self._known.add(source)
                        # What appears later is read from its first line: nothing of it has been seen yet.
                        window = self._window if first else Window()
                        threading.Thread(target=self._follow, args=(source, window), daemon=True).start()
                first = first and not found
                time.sleep(POLL_SECONDS)
        except SdsError as err:
            self._failure = err

    def _follow(self, source: LogSource, window: Window) -> None:
        last, current, state = ("", ""), "", ""
        while True:
            try:
                pod = self._cluster.get("Pod", source.pod)
                identity, state = container_state(pod, source)
                fresh = identity != current
                if identity and fresh:
                    tail, since = (window.tail, window.since) if not current else (None, None)
                elif state == "running":
                    tail, since = None, _since(last)
                if identity and (fresh or state == "running"):
                    current, before = identity, ""
                    for raw in self._cluster.logs(
                        source.pod, source.container, follow=True, tail=tail, since=since, timestamps=True
                    ):
                        line = parse_line(source, raw, before)
                        if isinstance(line, LogLine) and (order(line) > last or line.stamp == before):
                            last, before = order(line), line.stamp
                            self._lines.put(line)
                if state == "gone":
                    return
            except ClusterError as err:
                if getattr(err, "code", 0) not in (400, 404):
                    self._note(f"{source.pod} {source.container}: {err.words or err.what}; trying again")
                    time.sleep(2)
            time.sleep(0.3 if state == "running" else POLL_SECONDS)


def _since(last: tuple[str, str]) -> int | None:
    """Seconds back to just before the last line that was seen."""
    if not last[0]:
        return None
    seen = datetime.fromisoformat(last[0]).replace(tzinfo=UTC)
    return max(1, math.ceil((datetime.now(UTC) - seen).total_seconds()) + 1)
