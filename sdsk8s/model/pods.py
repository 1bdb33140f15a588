"""Facts of one pod: ready or why not, and what its supervisord says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sdsk8s.model.drift import drifted
from sdsk8s.model.kube import Object
from sdsk8s.model.names import SUPERVISED


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


@dataclass(frozen=True)
class Program:
    """A line of supervisorctl: one supervised program of one pod."""

    pod: str
    name: str
    state: str
    words: str = ""


def pod_facts(pod: Object, now: datetime) -> PodFacts:
    """Ready or why not, in the server's words."""
    status = pod.get("status") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    ending = bool(pod["metadata"].get("deletionTimestamp"))
    reason, words = ("ending", "") if ending else ("", "") if ready else _why(pod, status)
    states = status.get("containerStatuses") or ()
    return PodFacts(
        name=pod["metadata"]["name"],
        node=str(pod.get("spec", {}).get("nodeName") or ""),
        ready=ready and not ending,
        restarts=sum(int(c.get("restartCount") or 0) for c in states),
        age=_age(status.get("startTime") or pod["metadata"].get("creationTimestamp"), now),
        reason=reason,
        words=words,
        drift=drifted(pod),
    )


def _why(pod: Object, status: Object) -> tuple[str, str]:
    for c in status.get("conditions") or ():
        if c.get("type") == "PodScheduled" and c.get("status") == "False":
            return str(c.get("reason", "Unschedulable")), str(c.get("message", ""))
    if status.get("phase") == "Failed" and status.get("reason"):
        return str(status["reason"]), str(status.get("message", ""))
    for key, what in (("initContainerStatuses", "init step"), ("containerStatuses", "container")):
        for c in status.get(key) or ():
            found = _container_trouble(c, what)
            if found:
                return found
    for c in status.get("containerStatuses") or ():
        if "running" in (c.get("state") or {}) and not c.get("ready"):
            return "running, not ready", f"container {c['name']} does not pass its readiness probe yet"
    return str(status.get("phase") or "Pending"), ""


def _container_trouble(c: Object, what: str) -> tuple[str, str] | None:
    state = c.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (c.get("lastState") or {}).get("terminated") or {}
    name = f"{what} {c['name']}"
    if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating", None):
        words = str(waiting.get("message", ""))
        if last:
            words = f"last end: {_end(last)}"
        return str(waiting["reason"]), f"{name}: {words}" if words else name
    if waiting.get("reason") == "ContainerCreating":
        return "ContainerCreating", name
    if ended and ended.get("exitCode"):
        return str(ended.get("reason") or "Error"), f"{name}: {_end(ended)}"
    if what == "init step" and "running" in state:
        return "Init", f"{name} runs" + (f"; last end: {_end(last)}" if last else "")
    return None


def _end(ended: Object) -> str:
    text = f"{ended.get('reason', 'ended')}, exit code {ended.get('exitCode')}"
    message = str(ended.get("message") or "").strip()
    return f"{text}: {message[-300:]}" if message else text


def parse_supervisorctl(pod: str, text: str) -> list[Program]:
    """Programs of the output of `supervisorctl status`: NAME STATE WORDS per line."""
    out = []
    for line in text.splitlines():
        parts = line.split(None, 2)
        if len(parts) >= 2 and parts[1].isupper():
            out.append(Program(pod, parts[0], parts[1], parts[2] if len(parts) > 2 else ""))
    return out


def supervised(pod: Object) -> bool:
    """True for a pod that runs supervisord and can be asked now."""
    labels = pod["metadata"].get("labels") or {}
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return labels.get(SUPERVISED) == "true" and any("running" in (c.get("state") or {}) for c in states)


def is_ready(pod: Object) -> bool:
    """It serves, and nobody has asked it to end."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def over(pod: Object) -> bool:
    """Finished or evicted: no longer one of the workload's replicas."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def matches(pod: Object, want: Mapping[str, str]) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return bool(want) and all(labels.get(k) == v for k, v in want.items())


def _age(stamp: object, now: datetime) -> int | None:
    try:
        return max(0, int((now - datetime.fromisoformat(str(stamp))).total_seconds()))
    except (ValueError, TypeError):
        return None
