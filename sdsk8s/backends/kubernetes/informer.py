"""One list and watch per kind, kept up to date in a thread: waiting is watching, not polling."""

from __future__ import annotations

import threading
import time
from typing import Any

from sdsk8s.backends.kubernetes.api import ApiError, Cluster
from sdsk8s.errors import ClusterError


class Informer:
    """Local copies of some kinds. `changed` is set whenever something may look different.

    Ends of streams, restarts of the API server and 410 Gone are normal: the lists are read again. When the API
    server stays away longer than `patience` seconds, `error` holds why.
    """

    def __init__(self, cluster: Cluster, kinds: dict[str, str], patience: float = 60) -> None:
        self._cluster = cluster
        self._patience = patience
        self._objects: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.changed = threading.Event()
        self.error: ClusterError | None = None
        self._synced = {kind: threading.Event() for kind in kinds}
        self._threads = [
            threading.Thread(target=self._follow, args=(kind, selector), daemon=True, name=f"watch-{kind}")
            for kind, selector in kinds.items()
        ]

    def __enter__(self) -> Informer:
        for thread in self._threads:
            thread.start()
        for event in self._synced.values():
            while not event.wait(0.1) and self.error is None:
                pass
        return self

    def __exit__(self, *args: Any) -> None:
        self._stop.set()

    def get(self, kind: str, name: str) -> Any | None:
        with self._lock:
            return self._objects[kind].get(name)

    def all(self, kind: str) -> list[Any]:
        with self._lock:
            return list(self._objects[kind].values())

    def _follow(self, kind: str, selector: str) -> None:
        away_since: float | None = None
        while not self._stop.is_set():
            try:
                items, version = self._cluster.list_versioned(kind, selector)
                with self._lock:
                    self._objects[kind] = {o["metadata"]["name"]: o for o in items}
                away_since = None
                self._synced[kind].set()
                self.changed.set()
                # A short life keeps a thread whose wait is over from lingering.
                for event in self._cluster.watch(kind, selector, version, seconds=120):
                    if self._stop.is_set():
                        return
                    self._take(kind, event)
            except ClusterError as err:
                if isinstance(err, ApiError) and err.code == 410:
                    continue
                away_since = away_since or time.monotonic()
                final = isinstance(err, ApiError) and err.code in (401, 403, 404)
                if final or time.monotonic() - away_since > self._patience:
                    self.error = err
                    self.changed.set()
                    return
                time.sleep(1)

    def _take(self, kind: str, event: dict[str, Any]) -> None:
        obj = event["object"]
        if event["type"] == "BOOKMARK":
            return
        obj.setdefault("kind", kind)
        with self._lock:
            if event["type"] == "DELETED":
                self._objects[kind].pop(obj["metadata"]["name"], None)
            else:
                self._objects[kind][obj["metadata"]["name"]] = obj
        self.changed.set()
