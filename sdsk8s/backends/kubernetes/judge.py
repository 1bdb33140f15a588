"""One goal against one picture of the cluster: reached, or how far, and what is in the way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sdsk8s.backends.kubernetes.events import claim_trouble, creation_refused, mount_trouble
from sdsk8s.backends.kubernetes.verdict import (
    Goal,
    Gone,
    JobDone,
    RolloutReady,
    Trouble,
    change_seen,
    failed_containers,
    job_state,
    newest_owner,
    newest_pods,
    pod_summary,
    pod_trouble,
    rollout_state,
    rollout_trouble,
    stuck_revision,
)
from sdsk8s.model.names import COMPONENT


class View(Protocol):
    """Objects that carry our label, and recent warnings under the kind Event."""

    def get(self, kind: str, name: str) -> Any | None: ...
    def all(self, kind: str) -> list[Any]: ...


@dataclass(frozen=True)
class Opinion:
    """text: one line about the goal, then one indented line per pod."""

    done: bool
    text: str
    troubles: tuple[Trouble, ...] = ()


def kinds(goal: Goal) -> tuple[str, ...]:
    """Kinds that judging the goal looks at."""
    if isinstance(goal, Gone):
        return (goal.kind,) if goal.kind else ("Pod",)
    if isinstance(goal, JobDone):
        return ("Job", "Pod", "Event")
    return (goal.kind, "ReplicaSet", "Pod", "Event") if goal.kind == "Deployment" else (goal.kind, "Pod", "Event")


def title(goal: Goal) -> str:
    if isinstance(goal, Gone):
        pods = goal.selector.removeprefix(f"{COMPONENT}=")
        return f"the end of {goal.kind}/{goal.name}" if goal.kind else f"the end of the pods of {pods}"
    return f"Job/{goal.name}" if isinstance(goal, JobDone) else f"{goal.kind}/{goal.name}"


def judge(view: View, goal: Goal, floor: Mapping[RolloutReady, int], since: datetime) -> Opinion:
    """floor: generation of each workload when the wait began, older ones do not count; since: of warnings."""
    if isinstance(goal, Gone):
        return _gone(view, goal)
    if isinstance(goal, JobDone):
        return _job(view, goal, since)
    return _rollout(view, goal, floor.get(goal, 0), since)


def _gone(view: View, goal: Gone) -> Opinion:
    if goal.kind:
        return Opinion(view.get(goal.kind, goal.name) is None, f"{goal.kind}/{goal.name} is still there")
    pods = [p for p in view.all("Pod") if _matches(p, goal.selector)]
    pods = [p for p in pods if p.get("status", {}).get("phase") not in ("Succeeded", "Failed")]
    names = ", ".join(sorted(p["metadata"]["name"] for p in pods))
    return Opinion(not pods, f"{len(pods)} pods left: {names}")


def _job(view: View, goal: JobDone, since: datetime) -> Opinion:
    obj = view.get("Job", goal.name)
    if obj is None:
        return Opinion(False, f"Job/{goal.name} is not there yet")
    done, failure, text = job_state(obj)
    pods = newest_pods(obj, (), view.all("Pod"))
    found = [t for p in pods if (t := pod_trouble(p, again=False))]
    if failure is not None:
        newest = sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp", "")), reverse=True)
        found = [t for p in newest for t in failed_containers(p)][:1] or [failure]
    elif not pods:
        refused = creation_refused(obj, "", view.all("Event"), since)
        found = [refused] if refused else []
    return Opinion(done, _text(f"Job/{goal.name} {text}", pods), _with_events(view, tuple(found), pods, since))


def _rollout(view: View, goal: RolloutReady, floor: int, since: datetime) -> Opinion:
    head = f"{goal.kind}/{goal.name}"
    obj = view.get(goal.kind, goal.name)
    if obj is None:
        return Opinion(False, f"{head} is not there yet")
    if int(obj["metadata"].get("generation", 0)) < floor or not change_seen(obj):
        # Status and pods are those of the spec before: nobody is to blame yet.
        return Opinion(False, f"{head} the change is not seen yet")
    done, text = rollout_state(obj)
    sets, every = view.all("ReplicaSet") if goal.kind == "Deployment" else [], view.all("Pod")
    pods = newest_pods(obj, sets, every)
    found = [t for p in pods if (t := pod_trouble(p))]
    if any(p["metadata"].get("deletionTimestamp") for p in every):
        # Pods that end give their share of the nodes back, after their drain.
        found = [replace(t, ends=False) if t.reason == "Unschedulable" else t for t in found]
    own = rollout_trouble(obj) or creation_refused(obj, newest_owner(obj, sets), view.all("Event"), since)
    if own is not None and not found:
        found.append(own)
    stuck = stuck_revision(obj, every)
    if stuck:
        words = (
            f"pod {stuck} of an earlier revision cannot start, and the controller waits for it; "
            "delete the pod to let the new revision in"
        )
        found.append(Trouble(head, "stuck revision", words, stuck))
    return Opinion(done, _text(f"{head} {text}", pods), _with_events(view, tuple(found), pods, since))


def _with_events(view: View, found: tuple[Trouble, ...], pods: list[Any], since: datetime) -> tuple[Trouble, ...]:
    """What only events know: mounts and claims. Asked when nothing worse is known, since it is looked up per pod."""
    if any(t.ends for t in found):
        return found
    events = view.all("Event")
    more = [t for p in pods for look in (mount_trouble, claim_trouble) if (t := look(p, events, since))]
    return (*sorted(more, key=lambda t: not t.ends), *found)


def _text(head: str, pods: list[Any]) -> str:
    return "\n".join([head, *(f"  {pod_summary(p)}" for p in pods)])


def _matches(pod: Any, selector: str) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return all(labels.get(k) == v for k, _, v in (part.partition("=") for part in selector.split(",") if part))
