"""The site's lock: a Lease that expires, so that a killed run blocks nobody for long.

All times are the API server's: operators whose clocks differ do not take a living run for a dead one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError, RefusedError
from sdsk8s.model import kube
from sdsk8s.model.names import MANAGED_BY, PART_OF

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

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
    """A lock by name in the cluster's namespace. ttl in seconds; it is renewed at a third of that.

    holder     user@host
    lost       why the lock is ours no longer, empty while it is; on_lost is called with it from the renewal thread
    found      version of the Lease that we took over, as in version(); empty when there was none
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        holder: str,
        message: str,
        *,
        run_id: str = "",
        ttl: int = 30,
        on_lost: Callable[[str], None] = lambda why: None,
    ) -> None:
        self._cluster = cluster
        self.name = name
        self._holder = f"{holder} {run_id}".strip()
        self._message = message
        self._run_id = run_id
        self._ttl = ttl
        self._on_lost = on_lost
        self._stop = threading.Event()
        self.lost: str = ""
        self.found: str = ""

    def status(self) -> LockStatus | None:
        """None when nobody holds it."""
        lease = self._cluster.get("Lease", self.name)
        return None if lease is None else self._read(lease)

    def version(self) -> str:
        """Of a lock that nobody holds: a Lock with the same `found` later was taken before anybody else got it.

        "" while it is held, when it was never taken, and when it may not be read.
        """
        try:
            lease = self._cluster.get("Lease", self.name)
        except ApiError:
            return ""
        return "" if lease is None or (lease.get("spec") or {}).get("holderIdentity") else _version(lease)

    @contextmanager
    def held(self, wait: float = 0, say: Callable[[str], None] = lambda text: None) -> Iterator[None]:
        """Hold the lock for the body. RefusedError when somebody else holds it for longer than `wait` seconds."""
        self.acquire(wait, say)
        self._stop.clear()
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
        """Take the lock, also from a run that has let it expire. RefusedError after `wait` seconds."""
        deadline = time.monotonic() + wait
        told = False
        while True:
            found = self._try(say)
            if found is None:
                self.lost = ""
                return
            if time.monotonic() >= deadline:
                raise RefusedError(
                    f"another run holds the lock: {found.message}",
                    target=f"lock {self.name} in namespace {self._cluster.namespace}",
                    words=f"held by {found.holder} since {found.since}, renewed {found.age:.0f} s ago",
                    next="wait with --lock-wait SECONDS; a dead run's lock expires in "
                    f"{max(0, self._ttl - found.age):.0f} s, or sdsk8s lock release --force",
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
        """None when the lock is ours now, else who has it."""
        lease = self._cluster.get("Lease", self.name)
        self.found = _version(lease)
        try:
            if lease is None:
                self._cluster.create(self._fill({"metadata": {}}))
                return None
            found = self._read(lease)
            # Our own name there is an earlier try of ours whose answer got lost.
            if found is not None and not found.expired and found.holder != self._holder:
                return found
            self._put(self._fill(lease))
        except ApiError as err:
            if err.code != 409:
                raise
            return self._try(say)  # somebody was faster: look again
        if found is not None and found.holder != self._holder:
            say(
                f"taking over the lock of a run that has ended without releasing it: {found.message} by "
                f"{found.holder}, last seen {found.age:.0f} s ago"
            )
        return None

    def _fill(self, lease: dict[str, Any]) -> dict[str, Any]:
        now = self._now()
        meta = lease["metadata"]
        meta |= {"name": self.name, "namespace": self._cluster.namespace}
        meta["labels"] = {**(meta.get("labels") or {}), PART_OF: "sds", MANAGED_BY: "sdsk8s"}
        meta["annotations"] = {**(meta.get("annotations") or {}), _MESSAGE: self._message, _RUN: self._run_id}
        meta.pop("managedFields", None)
        spec = {"holderIdentity": self._holder, "leaseDurationSeconds": self._ttl, "acquireTime": now, "renewTime": now}
        return {**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}

    def _put(self, lease: dict[str, Any]) -> None:
        self._cluster.replace({**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"})

    def _renew(self) -> None:
        """At every third of the ttl. A missed turn is tried again each second until the lease has run out."""
        last, pause = time.monotonic(), self._ttl / 3
        while not self._stop.wait(pause):
            try:
                lease = self._cluster.get("Lease", self.name)
                if lease is None or lease.get("spec", {}).get("holderIdentity") != self._holder:
                    found = None if lease is None else self._read(lease)
                    self._lose(f"taken over by {found.holder}: {found.message}" if found else "released by somebody")
                    return
                lease["spec"]["renewTime"] = self._now()
                self._put(lease)
                last, pause, self.lost = time.monotonic(), self._ttl / 3, ""
            except ClusterError as err:
                pause = min(1.0, self._ttl / 3)
                if time.monotonic() - last > self._ttl and not self.lost:
                    self._lose(f"not renewed for {self._ttl} s: {err.words or err.what}")

    def _lose(self, why: str) -> None:
        self.lost = why
        self._on_lost(why)

    def _read(self, lease: dict[str, Any]) -> LockStatus | None:
        return lock_status(lease, self._cluster.now())

    def _now(self) -> str:
        return self._cluster.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _version(lease: dict[str, Any] | None) -> str:
    return str(lease["metadata"].get("resourceVersion", "")) if lease else ""


def lock_status(lease: dict[str, Any], now: datetime) -> LockStatus | None:
    """What a Lease says at a time. None when nobody holds it. Times that cannot be read count as long ago."""
    spec, notes = lease.get("spec") or {}, kube.annotations(lease)
    if not spec.get("holderIdentity"):
        return None
    try:
        renewed = datetime.fromisoformat(str(spec.get("renewTime") or spec.get("acquireTime")))
        age = max(0.0, (now - renewed).total_seconds())
    except (TypeError, ValueError):
        age = (now - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return LockStatus(
        holder=str(spec["holderIdentity"]),
        message=str(notes.get(_MESSAGE, "")),
        run_id=str(notes.get(_RUN, "")),
        since=str(spec.get("acquireTime") or ""),
        age=age,
        expired=age > int(spec.get("leaseDurationSeconds") or 0),
    )
