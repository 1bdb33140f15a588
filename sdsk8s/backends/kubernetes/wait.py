"""Waits until goals are reached, and ends early when a cause cannot heal: with its words and the log's tail."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from sdsk8s.backends.kubernetes import pull_secrets
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.errors import ClusterError, Interrupted, WaitError
from sdsk8s.model import kube
from sdsk8s.model.events import SCALING, when
from sdsk8s.model.goals import Goal, Judgement, RolloutReady, judge, kinds, title
from sdsk8s.model.names import PART_OF
from sdsk8s.model.readiness import Trouble

# Trouble must be seen this long before a wait ends: images are pulled again, claims get bound, pods crash once.
GRACE = {
    "Unschedulable": 10.0, "CrashLoopBackOff": 3.0, "ErrImagePull": 8.0, "ImagePullBackOff": 8.0, "crashes": 3.0,
    "crashed twice": 8.0, "FailedMount": 12.0, "FailedBinding": 12.0, "ProvisioningFailed": 12.0,
}  # fmt: skip
DEFAULT_GRACE = 6.0
RECENT = timedelta(minutes=2)
"""Warnings older than this, at the beginning of a wait, are about something that has been dealt with."""
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
    informer.follow(sorted({kind for goal in goals for kind in kinds(goal)}))
    # What this caller has just written may not have reached the informer: older generations do not count.
    floor = {g: kube.generation(cluster.get(g.kind, g.name) or {}) for g in goals if isinstance(g, RolloutReady)}
    since = cluster.now() - RECENT
    deadline = time.monotonic() + timeout
    first_seen: dict[tuple[str, str, str], float] = {}
    last_text, version = "", -1
    left = list(goals)
    while True:
        version = informer.wait_change(version, 0.5)
        if informer.error is not None:
            raise informer.error
        if cancelled():
            raise Interrupted("interrupted while waiting", target=title(left[0]))
        looks = [(g, look) for g in left if not (look := judge(informer, g, floor, since)).done]
        left = [g for g, _ in looks]
        if not looks:
            return
        text = "\n".join(look.text for _, look in looks)
        if text != last_text:
            on_change(text)
            last_text = text
        now = time.monotonic()
        troubles = [(g, t) for g, look in looks for t in look.troubles]
        first_seen = {t.key: first_seen.get(t.key, now) for _, t in troubles if t.hopeless}
        for goal, trouble in troubles:
            if trouble.hopeless and now - first_seen[trouble.key] >= GRACE.get(trouble.reason, grace):
                if trouble.reason == "Unschedulable" and _node_is_coming(cluster, trouble):
                    first_seen[trouble.key] = now  # asked again after another grace
                    continue
                raise _hopeless(cluster, goal, trouble)
        if now > deadline:
            raise _late(cluster, timeout, looks)


def _node_is_coming(cluster: Cluster, trouble: Trouble) -> bool:
    return any(e.get("reason") in SCALING for e in _events(cluster, trouble.pod))


def _hopeless(cluster: Cluster, goal: Goal, trouble: Trouble) -> WaitError:
    words = [trouble.words]
    if not trouble.words or "back-off" in trouble.words.lower():  # the kubelet's reason is in the event before
        warnings = [str(e.get("message", "")) for e in _events(cluster, trouble.pod) if e.get("type") == "Warning"]
        better = [w for w in warnings if w and "back-off" not in w.lower() and w not in trouble.words]
        words += better[-1:]
    pod = cluster.get("Pod", trouble.pod) if trouble.pod else None
    sentence, cure = pull_secrets.explain(cluster, pod, words) if pod else ("", "")
    words += [sentence, *_tail(cluster, trouble)]
    look = f"kubectl -n {cluster.namespace} describe pod {trouble.pod}" if trouble.pod else "sdsk8s status"
    return WaitError(
        f"{title(goal)} cannot become ready: {trouble.reason}",
        target=trouble.target,
        words="\n".join(w for w in words if w),
        next=cure or look,
    )


def _late(cluster: Cluster, timeout: float, looks: list[tuple[Goal, Judgement]]) -> WaitError:
    troubles = [t for _, look in looks for t in look.troubles]
    words = [*(look.text for _, look in looks), *dict.fromkeys(f"{t.target}: {t.words}" for t in troubles if t.words)]
    words += _tail(cluster, troubles[0]) if troubles else []
    return WaitError(
        f"timed out after {timeout:.0f} s waiting for {title(looks[0][0])}",
        target=f"namespace {cluster.namespace}",
        words="\n".join(words),
        next="run the same verb again to go on waiting, or use --timeout SECONDS to wait longer",
    )


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


def _events(cluster: Cluster, pod: str) -> list[Any]:
    """Of a pod, oldest first; none when they may not be read."""
    try:
        return sorted(cluster.list("Event", field=f"involvedObject.name={pod}"), key=when) if pod else []
    except ClusterError:
        return []
