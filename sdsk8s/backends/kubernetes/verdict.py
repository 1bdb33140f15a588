"""Is it ready, and if not: can it still become so? Pure functions over objects as the API server gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

_HOPELESS = {
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError", "CrashLoopBackOff", "ImageInspectError",
}  # fmt: skip


@dataclass(frozen=True)
class RolloutReady:
    """Newest revision everywhere, every replica ready."""

    kind: str
    name: str


@dataclass(frozen=True)
class Gone:
    """No pod of the label selector is left."""

    selector: str


@dataclass(frozen=True)
class JobDone:
    name: str


Goal = RolloutReady | Gone | JobDone


@dataclass(frozen=True)
class Trouble:
    """A cause that will probably not heal: object, reason, the server's words, and the container to read logs of."""

    target: str
    reason: str
    words: str
    pod: str = ""
    container: str = ""
    previous: bool = False


def rollout_state(obj: Object) -> tuple[bool, str]:
    """(complete, "1/2 ready") of a Deployment or StatefulSet."""
    spec, status = obj.get("spec", {}), obj.get("status", {})
    want = int(spec.get("replicas", 1))
    ready, updated = int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(obj["metadata"].get("generation", 0))
    text = f"{min(ready, want)}/{want} ready"
    if not seen:
        return False, text + ", the change is not seen yet"
    if updated < want:
        return False, text + f", {updated}/{want} updated"
    if int(status.get("replicas", 0)) > want:
        return False, text + ", old pods are ending"
    if obj.get("kind") == "Deployment" and int(status.get("availableReplicas", 0)) < want:
        return False, text
    return ready >= want, text


def rollout_trouble(obj: Object) -> Trouble | None:
    """Trouble that the workload itself reports: quota, admission, deadline."""
    name = f"{obj['kind']}/{obj['metadata']['name']}"
    for c in obj.get("status", {}).get("conditions") or ():
        if c.get("type") == "ReplicaFailure" and c.get("status") == "True":
            return Trouble(name, str(c.get("reason", "")), str(c.get("message", "")))
        if c.get("type") == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded":
            return Trouble(name, "ProgressDeadlineExceeded", str(c.get("message", "")))
    return None


def job_state(obj: Object) -> tuple[bool, Trouble | None, str]:
    """(succeeded, trouble, text) of a Job."""
    name = f"Job/{obj['metadata']['name']}"
    for c in obj.get("status", {}).get("conditions") or ():
        if c.get("status") != "True":
            continue
        if c.get("type") == "Complete":
            return True, None, "complete"
        if c.get("type") in ("Failed", "FailureTarget"):
            return False, Trouble(name, str(c.get("reason", "Failed")), str(c.get("message", ""))), "failed"
    return False, None, f"{obj.get('status', {}).get('failed', 0)} failed attempts, running"


def pod_trouble(pod: Object) -> Trouble | None:
    """The first cause in a pod that will not heal by waiting."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return None
    for phase, key in (("init ", "initContainerStatuses"), ("", "containerStatuses")):
        for c in status.get(key) or ():
            trouble = _container_trouble(name, phase, c)
            if trouble:
                return trouble
    for c in status.get("conditions") or ():
        if c.get("type") == "PodScheduled" and c.get("status") == "False" and c.get("reason") == "Unschedulable":
            return Trouble(f"pod {name}", "Unschedulable", str(c.get("message", "")))
    if status.get("phase") == "Failed" and status.get("reason"):
        return Trouble(f"pod {name}", str(status["reason"]), str(status.get("message", "")))
    return None


def _container_trouble(pod: str, phase: str, c: Object) -> Trouble | None:
    target = f"pod {pod}, {phase}container {c['name']}"
    waiting = c.get("state", {}).get("waiting") or {}
    last = c.get("lastState", {}).get("terminated") or {}
    now = c.get("state", {}).get("terminated") or {}
    reason = str(waiting.get("reason", ""))
    if reason == "CrashLoopBackOff" or (
        int(c.get("restartCount", 0)) >= 2 and last.get("exitCode") and not c.get("ready")
    ):
        if not phase and reason != "CrashLoopBackOff" and c.get("started"):
            return None
        words = f"exit code {last.get('exitCode')} ({last.get('reason', '')})"
        words += f": {last['message']}" if last.get("message") else ""
        return Trouble(target, reason or "crashes", words, pod, c["name"], previous=not now)
    if reason in _HOPELESS:
        return Trouble(target, reason, str(waiting.get("message", "")), pod, c["name"])
    if phase and now.get("exitCode"):
        words = f"exit code {now['exitCode']}" + (f": {now['message']}" if now.get("message") else "")
        return Trouble(target, "init step failed", words, pod, c["name"])
    return None


def pod_summary(pod: Object) -> str:
    """`name Running 1/2` or the reason that it waits for."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return f"{pod['metadata']['name']} ending"
    for key in ("initContainerStatuses", "containerStatuses"):
        for c in status.get(key) or ():
            waiting = c.get("state", {}).get("waiting")
            if waiting and waiting.get("reason") not in (None, "PodInitializing"):
                return f"{pod['metadata']['name']} {c['name']}: {waiting['reason']}"
            if key.startswith("init") and "running" in c.get("state", {}):
                return f"{pod['metadata']['name']} init step {c['name']} runs"
    ready = sum(bool(c.get("ready")) for c in status.get("containerStatuses") or ())
    total = len(pod.get("spec", {}).get("containers") or ())
    return f"{pod['metadata']['name']} {status.get('phase', 'Pending')} {ready}/{total} ready"


def newest_pods(owner: Object, replica_sets: Iterable[Object], pods: Iterable[Object]) -> list[Object]:
    """Pods of the workload's newest revision: an old revision's trouble is not the new one's, nor the other way."""
    uid = owner["metadata"]["uid"]
    if owner.get("kind") == "StatefulSet":
        revision = owner.get("status", {}).get("updateRevision")
        return [
            p
            for p in pods
            if _owned(p, uid)
            and (not revision or p["metadata"].get("labels", {}).get("controller-revision-hash") == revision)
        ]
    if owner.get("kind") == "Job":
        return [p for p in pods if _owned(p, uid)]
    revision_key = "deployment.kubernetes.io/revision"
    mine = [r for r in replica_sets if _owned(r, uid)]
    if not mine:
        return []
    newest = max(mine, key=lambda r: int((r["metadata"].get("annotations") or {}).get(revision_key, 0)))
    return [p for p in pods if _owned(p, newest["metadata"]["uid"])]


def stuck_revision(obj: Object, pods: Iterable[Object]) -> str:
    """The pod that keeps a StatefulSet on a bad revision: the controller waits for it instead of replacing it."""
    if obj.get("kind") != "StatefulSet":
        return ""
    revision = obj.get("status", {}).get("updateRevision")
    for p in pods:
        label = p["metadata"].get("labels", {}).get("controller-revision-hash")
        if _owned(p, obj["metadata"]["uid"]) and revision and label != revision and pod_trouble(p) is not None:
            return str(p["metadata"]["name"])
    return ""


def _owned(obj: Object, uid: str) -> bool:
    return any(o.get("uid") == uid for o in obj["metadata"].get("ownerReferences") or ())
