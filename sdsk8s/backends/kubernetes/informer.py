"""One list and watch per kind, kept up to date in a thread: waiting is watching, not polling.

All waits of a run share one Informer, so that a wide rollout costs the API server six watches and not fifty.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError
from sdsk8s.model import kube

EVENTS = "Event"
"""Followed by what they warn of, since events carry no labels. Without permission for them waits still work."""


class Informer:
    """Local copies of some kinds, each followed from the first time that somebody asks for it.

    Ends of streams, restarts of the API server and 410 Gone are normal: the lists are read again. When the API
    server stays away longer than `patience` seconds, `error` holds why.
    """

    def __init__(self, cluster: Cluster, selector: str, patience: float = 60) -> None:
        self._cluster = cluster
        self._selector = selector
        self._patience = patience
        self._objects: dict[str, dict[str, Any]] = {}
        self._synced: dict[str, threading.Event] = {}
        self._changed = threading.Condition()
        self._version = 0
        self._stop = threading.Event()
        self.error: ClusterError | None = None

    def __enter__(self) -> Informer:
        return self

    def __exit__(self, *args: Any) -> None:
        self._stop.set()

    def follow(self, kinds: Iterable[str]) -> None:
        """Return when every kind has been listed once (or `error` is set); it is watched from then on."""
        wanted = list(kinds)
        for kind in wanted:
            with self._changed:
                known = kind in self._synced
                self._synced.setdefault(kind, threading.Event())
                self._objects.setdefault(kind, {})
            if not known:
                threading.Thread(target=self._run, args=(kind,), daemon=True, name=f"watch-{kind}").start()
        for kind in wanted:
            while not self._synced[kind].wait(0.1) and self.error is None:
                pass

    def wait_change(self, seen: int, timeout: float) -> int:
        """Wait until something may look different from version `seen`; returns the version now."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, timeout)
            return self._version

    def get(self, kind: str, name: str) -> Any | None:
        with self._changed:
            return self._objects[kind].get(name)

    def all(self, kind: str) -> list[Any]:
        with self._changed:
            return list(self._objects.get(kind, {}).values())

    def _touch(self) -> None:
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def _run(self, kind: str) -> None:
        try:
            self._follow(kind)
        except Exception as err:  # a thread that dies in silence would leave its wait looking at an old picture
            self.error = ClusterError(f"following {kind} failed", words=f"{type(err).__name__}: {err}")
            self._touch()

    def _follow(self, kind: str) -> None:
        selector, field = ("", "type=Warning") if kind == EVENTS else (self._selector, "")
        away_since: float | None = None
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                items, version = self._cluster.list_versioned(kind, selector, field)
                with self._changed:
                    self._objects[kind] = {kube.name(o): o for o in items}
                self._synced[kind].set()
                self._touch()
                # A short life keeps a thread whose wait is over from lingering.
                for event in self._cluster.watch(kind, selector, version, seconds=120, field=field):
                    if self._stop.is_set():
                        return
                    away_since = None
                    self._take(kind, event)
                away_since = None
            except ClusterError as err:
                code = err.code if isinstance(err, ApiError) else 0
                if kind == EVENTS and code == 403:
                    self._synced[kind].set()
                    return
                if code != 410:
                    away_since = away_since or time.monotonic()
                    if code in (401, 403, 404) or time.monotonic() - away_since > self._patience:
                        self.error = err
                        self._touch()
                        return
            # A server that ends every watch at once must not be asked for its lists in a tight loop.
            if time.monotonic() - began < 1:
                self._stop.wait(1 if away_since else 0.3)

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        obj = event["object"]
        if event["type"] == "BOOKMARK":
            return
        name = kube.name(obj)
        if not name:
            raise ValueError(f"an event about an object without a name: {event}")
        obj.setdefault("kind", kind)
        with self._changed:
            if event["type"] == "DELETED":
                self._objects[kind].pop(name, None)
            else:
                self._objects[kind][name] = obj
        self._touch()
