"""The site's lock: a Lease that expires, so that a killed run blocks nobody for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sdsk8s.backends.kubernetes.api import ApiError, Cluster
from sdsk8s.errors import ClusterError, RefusedError
from sdsk8s.model.names import MANAGED_BY, PART_OF

_MESSAGE, _RUN = "sdsk8s/message", "sdsk8s/run"


@dataclass(frozen=True)
class LockStatus:
    """Who holds the lock. age: seconds since the last renewal; expired: it may be taken over."""

    holder: str
    message: str
    run_id: str
    since: str
    age: float
    expired: bool


class Lock:
    """A lock by name in the cluster's namespace. ttl in seconds; it is renewed at a third of that."""

    def __init__(
        self, cluster: Cluster, name: str, holder: str, message: str, *, run_id: str = "", ttl: int = 30
    ) -> None:
        self._cluster = cluster
        self.name = name
        self._holder = f"{holder} {run_id}".strip()
        self._message = message
        self._run_id = run_id
        self._ttl = ttl
        self._stop = threading.Event()
        self._lease: dict[str, Any] = {}
        self.lost: str = ""

    def status(self) -> LockStatus | None:
        """None when nobody holds it."""
        lease = self._cluster.get("Lease", self.name)
        return None if lease is None or not lease.get("spec", {}).get("holderIdentity") else _status(lease)

    @contextmanager
    def held(self, wait: float = 0, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
        """Hold the lock for the body. RefusedError when somebody else holds it for longer than `wait` seconds."""
        self.acquire(wait, say)
        thread = threading.Thread(target=self._renew, daemon=True, name="lock-renewal")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(timeout=5)
            try:
                self.release()
            except ClusterError as err:
                # The first error must not be hidden, and the lease expires by itself.
                say(f"the lock could not be released, it expires in {self._ttl} s: {err.words or err.what}")

    def acquire(self, wait: float = 0, say: Callable[[str], None] = lambda text: None) -> None:
        deadline = time.monotonic() + wait
        told = False
        while True:
            found = self._try(say)
            if found is None:
                return
            if time.monotonic() >= deadline:
                raise RefusedError(
                    f"another run holds the lock: {found.message}",
                    target=f"lock {self.name}",
                    words=f"held by {found.holder} since {found.since}, renewed {found.age:.0f} s ago",
                    next="wait with --lock-wait SECONDS; if that run is dead the lock expires in "
                    f"{max(0, self._ttl - found.age):.0f} s (sdsk8s lock status)",
                )
            if not told:
                say(f"waiting for the lock: {found.message}, held by {found.holder}")
                told = True
            time.sleep(1)

    def release(self, *, force: bool = False) -> bool:
        """Give the lock back. force: also when it is not ours. True when there was one to release."""
        lease = self._cluster.get("Lease", self.name)
        if lease is None or not lease["spec"].get("holderIdentity"):
            return False
        if not force and lease["spec"]["holderIdentity"] != self._holder:
            return False
        lease["spec"] |= {"holderIdentity": None, "renewTime": None, "acquireTime": None}
        self._put(lease)
        return True

    def _try(self, say: Callable[[str], None]) -> LockStatus | None:
        lease = self._cluster.get("Lease", self.name)
        if lease is None:
            try:
                self._lease = self._cluster.create(self._fill({"metadata": {}}))
                return None
            except ApiError as err:
                if err.code != 409:
                    raise
                lease = self._cluster.get("Lease", self.name)
                if lease is None:
                    return self._try(say)
        status = _status(lease) if lease["spec"].get("holderIdentity") else None
        if status is not None and not status.expired:
            return status
        if status is not None:
            say(
                f"taking over the lock of a run that has ended without releasing it: {status.message} by "
                f"{status.holder}, last seen {status.age:.0f} s ago"
            )
        try:
            self._lease = self._put(self._fill(lease))
        except ApiError as err:
            if err.code != 409:
                raise
            return self._try(say)
        return None

    def _fill(self, lease: dict[str, Any]) -> dict[str, Any]:
        now = _now()
        meta = lease["metadata"]
        meta |= {"name": self.name, "namespace": self._cluster.namespace}
        meta["labels"] = {**(meta.get("labels") or {}), PART_OF: "sds", MANAGED_BY: "sdsk8s"}
        meta["annotations"] = {**(meta.get("annotations") or {}), _MESSAGE: self._message, _RUN: self._run_id}
        meta.pop("managedFields", None)
        spec = {"holderIdentity": self._holder, "leaseDurationSeconds": self._ttl, "acquireTime": now, "renewTime": now}
        return {**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}

    def _put(self, lease: dict[str, Any]) -> dict[str, Any]:
        return self._cluster.replace({**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"})

    def _renew(self) -> None:
        while not self._stop.wait(self._ttl / 3):
            try:
                lease = self._cluster.get("Lease", self.name)
                if lease is None or lease["spec"].get("holderIdentity") != self._holder:
                    self.lost = "somebody has taken the lock over"
                    return
                lease["spec"]["renewTime"] = _now()
                self._put(lease)
            except ClusterError as err:
                self.lost = err.words or err.what  # tried again at the next turn; the lease outlives two misses


def _status(lease: dict[str, Any]) -> LockStatus:
    spec, notes = lease["spec"], lease["metadata"].get("annotations") or {}
    renewed = datetime.fromisoformat(str(spec.get("renewTime") or spec.get("acquireTime") or _now()))
    age = (datetime.now(UTC) - renewed).total_seconds()
    return LockStatus(
        holder=str(spec.get("holderIdentity", "")),
        message=str(notes.get(_MESSAGE, "")),
        run_id=str(notes.get(_RUN, "")),
        since=str(spec.get("acquireTime") or ""),
        age=age,
        expired=age > int(spec.get("leaseDurationSeconds") or 0),
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
