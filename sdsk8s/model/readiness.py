"""The one judge of pods: ready or not, why not, and whether waiting can still heal it. Pure.

`status`, every wait, a copy and the rollback ask these functions, so that none can contradict another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sdsk8s.model import kube, text
from sdsk8s.model.drift import drifted
from sdsk8s.model.kube import Object

_IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_CRASH = {"CrashLoopBackOff", "crashes", "crashed twice", "init step failed"}
_HOPELESS = {*_IMAGE, *_CONFIG}
_CLAIM = re.compile(r"PersistentVolumeClaim|persistentvolumeclaim|persistent volumes")


@dataclass(frozen=True)
class Trouble:
    """A cause of not being ready: object, reason, the server's words, and the container to read logs of.

    hopeless  False: waiting may still heal it, so it ends no wait and is named at the timeout
    """

    target: str
    reason: str
    words: str
    pod: str = ""
    container: str = ""
    previous: bool = False
    hopeless: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal while it is the same trouble: reasons alternate and their words count attempts."""
        families = {"image": _IMAGE, "config": _CONFIG, "crash": _CRASH}
        family = next((name for name, reasons in families.items() if self.reason in reasons), self.reason)
        return (self.target, self.container, family)


@dataclass(frozen=True)
class PodFacts:
    """reason: empty when ready, else a word such as CrashLoopBackOff; words: the server's own. age in seconds.

    drift: what was copied over the image, empty when nothing was.
    """

    name: str
    node: str
    ready: bool
    restarts: int
    age: int | None
    reason: str = ""
    words: str = ""
    drift: str = ""


def is_ready(pod: Object) -> bool:
    """It is ready and not being deleted."""
    return kube.holds(pod, "Ready") and not kube.deleted(pod)


def pod_facts(pod: Object, now: datetime) -> PodFacts:
    """What `status` shows of a pod."""
    reason, words = why_not_ready(pod)
    return PodFacts(
        name=kube.name(pod),
        node=str(kube.spec(pod).get("nodeName") or ""),
        ready=is_ready(pod),
        restarts=sum(int(c.get("restartCount") or 0) for c in kube.container_statuses(pod)),
        age=_age(kube.status(pod).get("startTime") or kube.created(pod), now),
        reason=reason,
        words=words,
        drift=drifted(pod),
    )


def why_not_ready(pod: Object) -> tuple[str, str]:
    """(reason, words) of a pod that is not ready, ("", "") of one that is: its trouble, else what it is doing."""
    if kube.deleted(pod):
        return "ending", ""
    if is_ready(pod):
        return "", ""
    if kube.finished(pod):
        status, ended = kube.status(pod), next(failed_containers(pod), None)
        return str(status.get("reason") or kube.phase(pod)), str(
            status.get("message") or (ended.words if ended else "")
        )
    found = pod_trouble(pod)
    if found:
        where = found.target.partition(", ")[2]
        return found.reason, ": ".join(part for part in (where, found.words) if part)
    return _doing(pod)


def _doing(pod: Object) -> tuple[str, str]:
    """What a pod without trouble is doing on its way to ready."""
    scheduled = kube.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("reason") or "Pending"), str(scheduled.get("message") or "")
    step = init_step(pod)
    if step:
        last = kube.last_end(step)
        return "Init", f"init container {step['name']} runs" + (f"; last time: {exit_words(last)}" if last else "")
    for what, c in _statuses(pod):
        state = kube.state(c)
        reason = str((state.get("waiting") or {}).get("reason") or "")
        ended = state.get("terminated") or {}
        if reason and reason != "PodInitializing":
            words = str(state["waiting"].get("message") or "")
            return reason, f"{what} {c['name']}" + (f": {words}" if words else "")
        if ended.get("exitCode"):
            return str(ended.get("reason") or "Error"), f"{what} {c['name']}: {exit_words(ended)}"
    for c in kube.container_statuses(pod):
        if kube.runs(c) and not c.get("ready"):
            return "running, not ready", f"container {c['name']} does not pass its readiness probe yet"
    return kube.phase(pod), ""


def pod_trouble(pod: Object, *, again: bool = True) -> Trouble | None:
    """The first cause in a pod for which it is not ready and may never be.

    again False: the pod belongs to something that counts its failed attempts by itself (a Job), so a command that
    ends badly decides nothing yet.
    """
    name = kube.name(pod)
    # Of a pod that has ended the controller makes another; what ended it (an eviction) is past.
    if kube.deleted(pod) or kube.finished(pod):
        return None
    for what, c in _statuses(pod):
        found = _container_trouble(name, what, c, again)
        if found:
            return found
    scheduled = kube.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        words = str(scheduled.get("message", ""))
        waits = bool(_CLAIM.search(words)) or bool(kube.status(pod).get("nominatedNodeName"))
        return Trouble(f"pod {name}", "Unschedulable", words, name, hopeless=not waits)
    return None


def _statuses(pod: Object) -> Iterator[tuple[str, Object]]:
    """("init container" or "container", what the kubelet says of it)"""
    yield from (("init container", c) for c in kube.init_statuses(pod))
    yield from (("container", c) for c in kube.container_statuses(pod))


def _container_trouble(pod: str, what: str, c: Object, again: bool) -> Trouble | None:
    container = str(c["name"])
    target = f"pod {pod}, {what} {container}"
    waiting = kube.state(c).get("waiting") or {}
    last, now = kube.last_end(c), kube.state(c).get("terminated") or {}
    reason, restarts = str(waiting.get("reason") or ""), int(c.get("restartCount") or 0)
    init = what.startswith("init")
    if reason == "CrashLoopBackOff":
        ended = last or now
        words = exit_words(ended) if ended else str(waiting.get("message") or "")
        return Trouble(target, reason, words, pod, container, previous=True, hopeless=again)
    if restarts and not _crash_loop(c):
        restarts = 0
    if restarts >= 2 and (last.get("exitCode") or now.get("exitCode")) and not c.get("ready"):
        # A container that has passed its startup probe may be on its way back; a step before it runs again and again.
        if init or not c.get("started"):
            words = exit_words(now or last)
            return Trouble(target, "crashes", words, pod, container, previous=not now, hopeless=again)
    elif restarts == 1 and now.get("exitCode"):
        # The kubelet says CrashLoopBackOff only a quarter of a minute later.
        return Trouble(target, "crashed twice", exit_words(now), pod, container, hopeless=again)
    if reason in _HOPELESS:
        return Trouble(target, reason, str(waiting.get("message") or ""), pod, container)
    if init and now.get("exitCode"):
        return Trouble(target, "init step failed", exit_words(now), pod, container, hopeless=again)
    return None


_HEALTHY_SECONDS = 600
"""A container that ran for so long starts with a fresh back-off: the kubelet's own rule."""
_BACK_OFF_SECONDS = 330
"""The kubelet's longest pause between two tries, and some slack."""


def _crash_loop(c: Object) -> bool:
    """False when the end before this start cannot belong to a loop: after a long life, or long before this start.

    Restarts add up over a pod's life: nodes that rebooted leave them behind, too.
    """
    last, state = kube.last_end(c), kube.state(c)
    current = state.get("running") or state.get("terminated") or {}
    began, ended, again = (_time(t) for t in (last.get("startedAt"), last.get("finishedAt"), current.get("startedAt")))
    if began and ended and (ended - began).total_seconds() > _HEALTHY_SECONDS:
        return False
    return not (ended and again and (again - ended).total_seconds() > _BACK_OFF_SECONDS)


def _time(text: object) -> datetime | None:
    """None for what is absent or not a time."""
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None


def failed_containers(pod: Object) -> Iterator[Trouble]:
    """Containers of a pod that have ended badly: whom to blame for a Job that failed."""
    name = kube.name(pod)
    for what, c in _statuses(pod):
        ended = kube.state(c).get("terminated") or {}
        if ended.get("exitCode"):
            yield Trouble(f"pod {name}, {what} {c['name']}", "failed", exit_words(ended), name, str(c["name"]))


def init_step(pod: Object) -> Object | None:
    """The init container that runs now and holds up the others; a sidecar (restartPolicy Always) holds up nobody."""
    sidecars = {c.get("name") for c in kube.init_containers(pod) if c.get("restartPolicy") == "Always"}
    return next((c for c in kube.init_statuses(pod) if kube.runs(c) and c.get("name") not in sidecars), None)


def pod_summary(pod: Object) -> str:
    """One line of progress: `name Running 1/2 ready`, or the reason that it waits for."""
    name = kube.name(pod)
    if kube.deleted(pod):
        return f"{name} ending"
    for _, c in _statuses(pod):
        reason = str((kube.state(c).get("waiting") or {}).get("reason") or "")
        if reason and reason != "PodInitializing":
            return f"{name} {c['name']}: {reason}"
    step = init_step(pod)
    if step:
        return f"{name} init container {step['name']} runs"
    ready = sum(bool(c.get("ready")) for c in kube.container_statuses(pod))
    return f"{name} {kube.phase(pod)} {ready}/{len(kube.main_containers(pod))} ready"


def exit_words(terminated: Object) -> str:
    """`exit code 137 (OOMKilled): message` of a terminated state; the end of a long message."""
    words = f"exit code {terminated.get('exitCode')}"
    if terminated.get("reason") not in (None, "", "Error"):
        words += f" ({terminated['reason']})"
    message = text.tail(str(terminated.get("message") or ""))
    return f"{words}: {message}" if message else words


def _age(stamp: object, now: datetime) -> int | None:
    try:
        return max(0, int((now - datetime.fromisoformat(str(stamp))).total_seconds()))
    except (ValueError, TypeError):
        return None
