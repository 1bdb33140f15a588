"""The one judge of workloads and Jobs: how far a rollout is, which pods are its newest, what is in its way. Pure.

Only the newest counts when causes are named: conditions of a status that has seen the present spec, pods and failures
of the newest ReplicaSet or revision. What an earlier manifest did wrong is not the fault of the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.readiness import Trouble, is_ready, pod_trouble

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"


@dataclass(frozen=True)
class Rollout:
    """How far a Deployment or StatefulSet is.

    complete: the newest revision everywhere, every replica ready and available, no other pod left.
    seen: the controller has looked at the newest spec; before that the numbers are those of the one before.
    """

    desired: int
    ready: int
    updated: int
    complete: bool
    seen: bool = True
    words: str = ""


def change_seen(obj: Object) -> bool:
    """True when the controller has looked at the newest spec: before that its status is about the one before."""
    return kube.count(obj, "observedGeneration") >= kube.generation(obj)


def rollout(obj: Object) -> Rollout:
    """The state of a Deployment or StatefulSet; words: `1/2 ready, 1/2 updated`."""
    want, updated = kube.replicas(obj), kube.count(obj, "updatedReplicas")
    ready = min(kube.count(obj, "readyReplicas"), want)
    done = f"{ready}/{want} ready"
    if not change_seen(obj):
        return Rollout(want, ready, updated, False, False, f"{done}, the controller has not seen the change yet")
    if updated < want:
        return Rollout(want, ready, updated, False, words=f"{done}, {updated}/{want} updated")
    if kube.count(obj, "replicas") > want:
        return Rollout(want, ready, updated, False, words=f"{done}, old pods are ending")
    available = kube.count(obj, "availableReplicas")
    words = done if ready < want or available >= want else f"{done}, {available}/{want} available"
    return Rollout(want, ready, updated, ready >= want and available >= want, words=words)


def pods_missing(obj: Object) -> bool:
    """True when the controller has made fewer pods than it should."""
    return kube.count(obj, "replicas") < kube.replicas(obj)


def newest_replica_set(deployment: Object, replica_sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's present template; None while there is none, or it is not in the picture yet.

    The Deployment says the revision of its newest one itself, so that a picture in which that is still missing names
    no other in its place.
    """
    mine = [r for r in replica_sets if kube.owned_by(r, kube.uid(deployment))]
    newest = max(mine, key=_revision, default=None)
    if newest is None or _revision(newest) < _revision(deployment):
        return None
    return newest


def _revision(obj: Object) -> int:
    text = kube.annotation(obj, _REVISION)
    return int(text) if text.isdigit() else 0


def newest_owner(owner: Object, replica_sets: Iterable[Object]) -> str:
    """uid of whoever makes the workload's newest pods: itself, or a Deployment's newest ReplicaSet ("": none yet)."""
    if kube.kind(owner) != "Deployment":
        return kube.uid(owner)
    return kube.uid(newest_replica_set(owner, replica_sets) or {})


def newest_pods(owner: Object, replica_sets: Iterable[Object], pods: Iterable[Object]) -> list[Object]:
    """Pods of the workload's newest revision: an old revision's trouble is not the new one's, nor the other way."""
    maker = newest_owner(owner, replica_sets)
    revision = kube.status(owner).get("updateRevision") if kube.kind(owner) == "StatefulSet" else None
    return [p for p in pods if kube.owned_by(p, maker) and (not revision or kube.label(p, _HASH) == revision)]


def rollout_trouble(obj: Object, replica_sets: Sequence[Object] | None) -> Trouble | None:
    """Trouble that controllers report of a workload's newest revision: quota, admission, deadline.

    A Deployment repeats the failures of its old ReplicaSets, too: only that of the newest one counts. None for the
    ReplicaSets: they cannot be read, and what the Deployment says has to do.
    """
    if not change_seen(obj):
        return None
    maker: Object | None = obj
    if kube.kind(obj) == "Deployment" and replica_sets is not None:
        maker = newest_replica_set(obj, replica_sets)
    failure = kube.condition(maker or {}, "ReplicaFailure")
    if failure.get("status") == "True" and change_seen(maker or {}):
        return Trouble(kube.title(obj), str(failure.get("reason", "")), str(failure.get("message", "")))
    progress = kube.condition(obj, "Progressing")
    if progress.get("reason") == "ProgressDeadlineExceeded" and not rollout(obj).complete:
        return Trouble(kube.title(obj), "ProgressDeadlineExceeded", str(progress.get("message", "")))
    return None


def obsolete_pods(obj: Object, pods: Iterable[Object]) -> list[Object]:
    """A StatefulSet's pods that are not ready and not of its newest revision; those that end are left out.

    Its controller waits for such a pod in place of replacing it.
    """
    wanted = kube.status(obj).get("updateRevision")
    return [
        p
        for p in pods
        if wanted
        and kube.owned_by(p, kube.uid(obj))
        and kube.label(p, _HASH) != wanted
        and not kube.deleted(p)
        and not is_ready(p)
    ]


def stuck_revision(obj: Object, pods: Iterable[Object]) -> str:
    """The pod that keeps a StatefulSet on a bad revision, "" when none does."""
    if kube.kind(obj) != "StatefulSet":
        return ""
    return next((kube.name(p) for p in obsolete_pods(obj, pods) if pod_trouble(p) is not None), "")


def job_state(obj: Object) -> tuple[bool, Trouble | None, str]:
    """(succeeded, trouble, text) of a Job."""
    if kube.holds(obj, "Complete"):
        return True, None, "complete"
    for type_ in ("Failed", "FailureTarget"):
        if kube.holds(obj, type_):
            c = kube.condition(obj, type_)
            words = str(c.get("message", ""))
            return False, Trouble(kube.title(obj), str(c.get("reason") or "Failed"), words), "failed"
    return False, None, f"{kube.count(obj, 'failed')} failed attempts, running"
