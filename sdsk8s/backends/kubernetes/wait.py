"""Waits until goals are reached, and ends early when a cause cannot heal: with its words and the log's tail."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.backends.kubernetes.verdict import (
    Goal,
    Gone,
    JobDone,
    RolloutReady,
    Trouble,
    job_state,
    newest_pods,
    pod_summary,
    pod_trouble,
    rollout_state,
    rollout_trouble,
    stuck_revision,
)
from sdsk8s.errors import ClusterError, Interrupted, WaitError
from sdsk8s.model.names import COMPONENT, PART_OF

# Trouble must be seen this long before a wait ends: images are pulled again, claims get bound, pods crash once.
GRACE = {"Unschedulable": 10.0, "CrashLoopBackOff": 3.0, "ErrImagePull": 8.0, "ImagePullBackOff": 8.0, "crashes": 3.0}
DEFAULT_GRACE = 6.0
SELECTOR = f"{PART_OF}=sds"


def wait(
    cluster: Cluster,
    goals: Sequence[Goal],
    timeout: float,
    on_change: Callable[[str], None] = lambda text: None,
    *,
    informer: Informer | None = None,
    grace: float = DEFAULT_GRACE,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Return when every goal is reached. WaitError after `timeout` seconds, or soon after a hopeless cause.

    on_change gets a few lines of text whenever the picture changes; `cancelled` is asked twice a second. An informer
    may be shared by several waits at once.
    """
    if informer is None:
        with Informer(cluster, SELECTOR) as own:
            wait(cluster, goals, timeout, on_change, informer=own, grace=grace, cancelled=cancelled)
        return
    informer.follow(sorted({kind for goal in goals for kind in _kinds(goal)}))
    # What this caller has just written may not have reached the informer: older generations do not count.
    floor = {g: _generation(cluster.get(g.kind, g.name)) for g in goals if isinstance(g, RolloutReady)}
    deadline = time.monotonic() + timeout
    first_seen: dict[Trouble, float] = {}
    last_text, version = "", -1
    left = list(goals)
    while True:
        version = informer.wait_change(version, 0.5)
        if informer.error is not None:
            raise informer.error
        if cancelled():
            raise Interrupted("interrupted while waiting", target=_name(left[0]))
        left, texts, troubles = _look(informer, left, floor)
        if not left:
            return
        text = "\n".join(texts)
        if text != last_text:
            on_change(text)
            last_text = text
        now = time.monotonic()
        first_seen = {t: first_seen.get(t, now) for t in troubles}
        for trouble, since in first_seen.items():
            if now - since >= GRACE.get(trouble.reason, grace):
                raise _error(cluster, trouble, left[0])
        if now > deadline:
            raise _late(cluster, timeout, texts, troubles, left[0])


def _kinds(goal: Goal) -> tuple[str, ...]:
    if isinstance(goal, Gone):
        return ("Pod",)
    if isinstance(goal, JobDone):
        return ("Job", "Pod")
    return (goal.kind, "ReplicaSet", "Pod") if goal.kind == "Deployment" else (goal.kind, "Pod")


def _generation(obj: Any) -> int:
    return int(obj["metadata"].get("generation", 0)) if obj else 0


def _look(
    informer: Informer, goals: list[Goal], floor: Mapping[RolloutReady, int]
) -> tuple[list[Goal], list[str], list[Trouble]]:
    left: list[Goal] = []
    texts: list[str] = []
    troubles: list[Trouble] = []
    for goal in goals:
        done, text, found = _judge(informer, goal, floor)
        if not done:
            left.append(goal)
            texts.append(text)
            troubles.extend(found)
    return left, texts, troubles


def _judge(informer: Informer, goal: Goal, floor: Mapping[RolloutReady, int]) -> tuple[bool, str, list[Trouble]]:
    if isinstance(goal, Gone):
        pods = [p for p in informer.all("Pod") if _matches(p, goal.selector)]
        pods = [p for p in pods if p.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
        names = ", ".join(sorted(p["metadata"]["name"] for p in pods))
        return not pods, f"{len(pods)} pods left: {names}", []
    if isinstance(goal, JobDone):
        obj = informer.get("Job", goal.name)
        if obj is None:
            return False, f"Job/{goal.name} is not there yet", []
        done, trouble, text = job_state(obj)
        pods = newest_pods(obj, (), informer.all("Pod"))
        return done, _text(f"Job/{goal.name} {text}", pods), _with_pods(trouble, pods, blame_failed=trouble is not None)
    obj = informer.get(goal.kind, goal.name)
    if obj is None:
        return False, f"{goal.kind}/{goal.name} is not there yet", []
    if _generation(obj) < floor.get(goal, 0):
        return False, f"{goal.kind}/{goal.name} the change is not seen yet", []
    done, text = rollout_state(obj)
    sets = informer.all("ReplicaSet") if goal.kind == "Deployment" else []
    every = informer.all("Pod")
    pods = newest_pods(obj, sets, every)
    found = _with_pods(rollout_trouble(obj), pods)
    stuck = stuck_revision(obj, every)
    if stuck:
        words = (
            f"pod {stuck} of an earlier revision cannot start, and the controller waits for it; "
            "delete the pod to let the new revision in"
        )
        found.append(Trouble(f"{goal.kind}/{goal.name}", "stuck revision", words, stuck))
    return done, _text(f"{goal.kind}/{goal.name} {text}", pods), found


def _with_pods(own: Trouble | None, pods: list[Any], *, blame_failed: bool = False) -> list[Trouble]:
    """Troubles of pods say more than that of their owner, so they come first."""
    found = [t for t in (pod_trouble(p) for p in pods) if t is not None]
    if blame_failed and not found:
        for p in pods:
            for c in [*(p["status"].get("initContainerStatuses") or ()), *(p["status"].get("containerStatuses") or ())]:
                ended = c.get("state", {}).get("terminated") or {}
                if ended.get("exitCode"):
                    target = f"pod {p['metadata']['name']}, container {c['name']}"
                    words = f"exit code {ended['exitCode']}" + (f": {ended['message']}" if ended.get("message") else "")
                    found.append(Trouble(target, "failed", words, p["metadata"]["name"], c["name"]))
    return found or ([own] if own is not None else [])


def _text(head: str, pods: list[Any]) -> str:
    return "\n".join([head, *(f"  {pod_summary(p)}" for p in pods)])


def _matches(pod: Any, selector: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(k) == v for k, _, v in (part.partition("=") for part in selector.split(",")))


def _error(cluster: Cluster, trouble: Trouble, goal: Goal) -> WaitError:
    tail = _tail(cluster, trouble)
    return WaitError(
        f"{_name(goal)} cannot become ready: {trouble.reason}",
        target=trouble.target,
        words="\n".join(x for x in [trouble.words or _events(cluster, trouble), *tail] if x),
        next=f"kubectl -n {cluster.namespace} describe pod {trouble.pod}" if trouble.pod else "sdsk8s status",
    )


def _late(cluster: Cluster, timeout: float, texts: list[str], troubles: list[Trouble], goal: Goal) -> WaitError:
    tail = _tail(cluster, troubles[0]) if troubles else []
    return WaitError(
        f"{_name(goal)} was not reached within {timeout:.0f} s",
        target=f"namespace {cluster.namespace}",
        words="\n".join([*texts, *(t.words for t in troubles), *tail]),
        next="the same verb again goes on waiting; --timeout SECONDS waits longer",
    )


def _name(goal: Goal) -> str:
    if isinstance(goal, Gone):
        return f"the end of the pods of {goal.selector.removeprefix(COMPONENT + '=')}"
    return f"Job/{goal.name}" if isinstance(goal, JobDone) else f"{goal.kind}/{goal.name}"


def _tail(cluster: Cluster, trouble: Trouble, lines: int = 40) -> list[str]:
    if not trouble.pod or not trouble.container:
        return []
    for previous in (trouble.previous, not trouble.previous):
        try:
            got = list(cluster.logs(trouble.pod, trouble.container, tail=lines, previous=previous))
        except ClusterError:
            continue
        if got:
            return ["last lines of its log:", *(f"  | {line}" for line in got)]
    return []


def _events(cluster: Cluster, trouble: Trouble) -> str:
    if not trouble.pod:
        return ""
    try:
        events = cluster.list("Event", field=f"involvedObject.name={trouble.pod},type=Warning")
    except ClusterError:
        return ""
    events.sort(key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    return str(events[-1].get("message", "")) if events else ""
