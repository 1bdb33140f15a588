"""Is it ready, and if not: can it still become so? Pure functions over objects as the API server gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]

_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_CRASH = {"CrashLoopBackOff", "crashes", "crashed twice", "init step failed"}
_HOPELESS = {*_IMAGE, *_CONFIG, "CrashLoopBackOff"}
_CLAIM = re.compile(r"PersistentVolumeClaim|persistentvolumeclaim|persistent volumes")


@dataclass(frozen=True)
class RolloutReady:
    """Newest revision everywhere, every replica ready."""

    kind: str
    name: str


@dataclass(frozen=True)
class Gone:
    """No pod of the label selector is left; or, with a kind and name, that object is not there any more."""

    selector: str = ""
    kind: str = ""
    name: str = ""


@dataclass(frozen=True)
class JobDone:
    name: str


Goal = RolloutReady | Gone | JobDone


@dataclass(frozen=True)
class Trouble:
    """A cause of not being ready: object, reason, the server's words, and the container to read logs of.

    ends   False: waiting may still heal it, so it ends no wait and is told at the timeout
    """

    target: str
    reason: str
    words: str
    pod: str = ""
    container: str = ""
    previous: bool = False
    ends: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal while it is the same trouble: reasons alternate and their words count attempts."""
        families = {"image": _IMAGE, "config": _CONFIG, "crash": _CRASH}
        family = next((name for name, reasons in families.items() if self.reason in reasons), self.reason)
        return (self.target, self.container, family)


def change_seen(obj: Object) -> bool:
    """True when the controller has looked at the newest spec: before that its status is about the one before."""
    return int(obj.get("status", {}).get("observedGeneration", 0)) >= int(obj["metadata"].get("generation", 0))


def rollout_state(obj: Object) -> tuple[bool, str]:
    """(complete, "1/2 ready") of a Deployment or StatefulSet."""
    spec, status = obj.get("spec", {}), obj.get("status", {})
    want = int(spec.get("replicas", 1))
    ready, updated = int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0))
    text = f"{min(ready, want)}/{want} ready"
    if not change_seen(obj):
        return False, text + ", the change is not seen yet"
    if updated < want:
        return False, text + f", {updated}/{want} updated"
    if int(status.get("replicas", 0)) > want:
        return False, text + ", old pods are ending"
    # Servers before 1.22 have no availableReplicas on StatefulSets; we support later ones only.
    return ready >= want and int(status.get("availableReplicas", 0)) >= want, text


def pods_missing(obj: Object) -> bool:
    """True when the controller has made fewer pods than it should."""
    return int(obj.get("status", {}).get("replicas", 0)) < int(obj.get("spec", {}).get("replicas", 1))


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


def pod_trouble(pod: Object, *, again: bool = True) -> Trouble | None:
    """The first cause in a pod that will not heal by waiting.

    again False: the pod belongs to something that counts its failed attempts by itself (a Job), so a command that
    ends badly is no verdict yet.
    """
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    # Of a pod that has ended the controller makes another; what ended it (an eviction) is past.
    if pod["metadata"].get("deletionTimestamp") or status.get("phase") in ("Failed", "Succeeded"):
        return None
    for phase, key in (("init ", "initContainerStatuses"), ("", "containerStatuses")):
        for c in status.get(key) or ():
            trouble = _container_trouble(name, phase, c, again)
            if trouble:
                return trouble
    for c in status.get("conditions") or ():
        if c.get("type") == "PodScheduled" and c.get("status") == "False" and c.get("reason") == "Unschedulable":
            words = str(c.get("message", ""))
            waits = bool(_CLAIM.search(words)) or bool(status.get("nominatedNodeName"))
            return Trouble(f"pod {name}", "Unschedulable", words, name, ends=not waits)
    return None


def _container_trouble(pod: str, phase: str, c: Object, again: bool) -> Trouble | None:
    target = f"pod {pod}, {phase}container {c['name']}"
    waiting = c.get("state", {}).get("waiting") or {}
    last = c.get("lastState", {}).get("terminated") or {}
    now = c.get("state", {}).get("terminated") or {}
    reason = str(waiting.get("reason", ""))
    restarts = int(c.get("restartCount", 0))
    if reason == "CrashLoopBackOff":
        return Trouble(target, reason, exit_words(last or now), pod, c["name"], previous=True, ends=again)
    if restarts >= 2 and (last.get("exitCode") or now.get("exitCode")) and not c.get("ready"):
        # A container that has passed its startup probe may be on its way back; a step before it runs again and again.
        if phase or not c.get("started"):
            return Trouble(target, "crashes", exit_words(now or last), pod, c["name"], previous=not now, ends=again)
    elif restarts == 1 and now.get("exitCode"):
        # The kubelet says CrashLoopBackOff only a quarter of a minute later.
        return Trouble(target, "crashed twice", exit_words(now), pod, c["name"], ends=again)
    if reason in _HOPELESS:
        return Trouble(target, reason, str(waiting.get("message", "")), pod, c["name"])
    if phase and now.get("exitCode"):
        return Trouble(target, "init step failed", exit_words(now), pod, c["name"], ends=again)
    return None


def exit_words(terminated: Mapping[str, Any]) -> str:
    """`exit code 137 (OOMKilled): message` of a terminated state."""
    words = f"exit code {terminated.get('exitCode')}"
    if terminated.get("reason") not in (None, "", "Error"):
        words += f" ({terminated['reason']})"
    return words + (f": {terminated['message']}" if terminated.get("message") else "")


def failed_containers(pod: Object) -> Iterator[Trouble]:
    """Containers of a pod that have ended badly: whom to blame for a Job that failed."""
    status, name = pod.get("status", {}), pod["metadata"]["name"]
    for key in ("initContainerStatuses", "containerStatuses"):
        for c in status.get(key) or ():
            ended = c.get("state", {}).get("terminated") or {}
            if ended.get("exitCode"):
                yield Trouble(f"pod {name}, container {c['name']}", "failed", exit_words(ended), name, c["name"])


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
            if key.startswith("init") and "running" in c.get("state", {}) and not c.get("started"):
                return f"{pod['metadata']['name']} init step {c['name']} runs"
    ready = sum(bool(c.get("ready")) for c in status.get("containerStatuses") or ())
    total = len(pod.get("spec", {}).get("containers") or ())
    return f"{pod['metadata']['name']} {status.get('phase', 'Pending')} {ready}/{total} ready"


def newest_owner(owner: Object, replica_sets: Iterable[Object]) -> str:
    """uid of whoever makes the workload's newest pods: itself, or a Deployment's newest ReplicaSet ("": none yet)."""
    uid = str(owner["metadata"]["uid"])
    if owner.get("kind") != "Deployment":
        return uid
    key = "deployment.kubernetes.io/revision"
    mine = [r for r in replica_sets if _owned(r, uid)]
    newest = max(mine, key=lambda r: int((r["metadata"].get("annotations") or {}).get(key, 0)), default=None)
    return str(newest["metadata"]["uid"]) if newest else ""


def newest_pods(owner: Object, replica_sets: Iterable[Object], pods: Iterable[Object]) -> list[Object]:
    """Pods of the workload's newest revision: an old revision's trouble is not the new one's, nor the other way."""
    maker = newest_owner(owner, replica_sets)
    revision = owner.get("status", {}).get("updateRevision") if owner.get("kind") == "StatefulSet" else None
    return [p for p in pods if _owned(p, maker) and (not revision or _revision(p) == revision)]


def stuck_revision(obj: Object, pods: Iterable[Object]) -> str:
    """The pod that keeps a StatefulSet on a bad revision: the controller waits for it instead of replacing it."""
    if obj.get("kind") != "StatefulSet":
        return ""
    wanted = obj.get("status", {}).get("updateRevision")
    for p in pods:
        if _owned(p, obj["metadata"]["uid"]) and wanted and _revision(p) != wanted and pod_trouble(p) is not None:
            return str(p["metadata"]["name"])
    return ""


def obsolete_pods(obj: Object, pods: Iterable[Object]) -> list[str]:
    """Names of a StatefulSet's pods that are not ready and not of its newest revision; those that end are left out."""
    wanted = obj.get("status", {}).get("updateRevision")
    return [
        str(p["metadata"]["name"])
        for p in pods
        if _owned(p, obj["metadata"]["uid"])
        and wanted
        and _revision(p) != wanted
        and not p["metadata"].get("deletionTimestamp")
        and not any(
            c.get("type") == "Ready" and c.get("status") == "True" for c in p.get("status", {}).get("conditions") or ()
        )
    ]


def _revision(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get("controller-revision-hash", ""))


def _owned(obj: Object, uid: str) -> bool:
    return bool(uid) and any(o.get("uid") == uid for o in obj["metadata"].get("ownerReferences") or ())
