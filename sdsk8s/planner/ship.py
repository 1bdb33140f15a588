"""`ship`: per queue, its bundle is packed and stored where its workers fetch it; workers in the cluster roll to it.

Queues ship in parallel. What is stored already with the same content is not stored again, and workers that run the
bundle already are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.bundle import Archive
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.steps import Apply, Group, Node, Pack, Plan, Push, Upload, WaitReady, group


@dataclass(frozen=True)
class Bucket:
    """Where an archive goes in a bucket; stored: the bucket has this content, its sha256 and its encryption."""

    bucket: str
    key: str
    stored: bool


@dataclass(frozen=True)
class QueueShip:
    """One queue as it is to be.

    whole, bucket  archive for virtual machines, with secrets, and its place; None: not shipped to a bucket
    code, ref      archive for pods; no secrets, and its reference; None: not shipped to the registry
    worker         workload of the queue with the new bundle; None when it is not in the cluster or runs it already
    deployed       the queue has a workload in the cluster
    """

    queue: str
    component: str
    encrypt: bool
    whole: Archive | None = None
    bucket: Bucket | None = None
    code: Archive | None = None
    ref: str = ""
    worker: Object | None = None
    deployed: bool = True


def plan_ship(
    target: str, queues: Sequence[QueueShip], live: Observed, namespace: str, extra: Mapping[str, Object] | None = None
) -> Plan:
    """extra: objects that new workers need, by name, such as the key of encrypted bundles."""
    bodies: list[Node] = []
    notes: list[str] = []
    for q in queues:
        children = _queue(q, live)
        bodies.extend(group(f"queue {q.queue}", children))
        if not children:
            notes.append(f"{q.queue}: no change in code or configuration")
        if q.ref and not q.deployed:
            notes.append(f"{q.queue} has no workers in the cluster yet: sds update {q.component}, then ship again")
    head: list[Node] = [
        kubernetes.apply_step(obj, live, reason="needed by the workers", running=None)
        for _, obj in sorted((extra or {}).items())
        if kubernetes.differs(obj, live)
    ]
    both = group("queues", bodies, parallel=True)
    return Plan("ship", target, namespace, Group("ship", (*head, *both)), tuple(notes))


def _queue(q: QueueShip, live: Observed) -> list[Node]:
    steps: list[Node] = []
    if q.whole and q.bucket and not q.bucket.stored:
        steps.append(_pack(q.whole, "for virtual machines; includes secrets"))
        steps.append(Upload("", q.whole.file, q.whole.id, q.bucket.bucket, q.bucket.key, q.encrypt))
    if q.code and q.ref and not live.digests.get(q.ref):
        steps.append(_pack(q.code, "for pods; no secrets"))
        steps.append(Push("", q.code.file, q.code.id, q.ref, q.encrypt))
    if q.worker is not None:
        kind, name = kube.key(q.worker)
        steps.append(Apply("roll the workers to the new bundle", _scaled(q.worker, live), "update"))
        if (live.replicas(kind, name) or 0) > 0:
            steps.append(WaitReady("wait until the workers run the bundle", kind, name))
    return steps


def _scaled(worker: Object, live: Observed) -> Object:
    return kubernetes.apply_step(worker, live, reason="", running=None).obj


def _pack(archive: Archive, reason: str) -> Pack:
    files = tuple((e.path, e.size, f"{e.mode:04o}") for e in archive.entries)
    return Pack(reason, archive.file, archive.id, archive.size, files)
