"""What can be waited for, and one goal against one picture of the cluster: reached, or how far, and why not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sdsk8s.model import kube, text
from sdsk8s.model.events import claim_trouble, creation_refused, mount_trouble
from sdsk8s.model.kube import Object
from sdsk8s.model.names import COMPONENT
from sdsk8s.model.readiness import Trouble, failed_containers, pod_summary, pod_trouble
from sdsk8s.model.rollout import (
    change_seen,
    job_state,
    newest_owner,
    newest_pods,
    rollout,
    rollout_trouble,
    stuck_revision,
)


@dataclass(frozen=True)
class RolloutReady:
    """Newest revision everywhere, every replica ready."""

    kind: str
    name: str


@dataclass(frozen=True)
class Gone:
    """No pod of the label selector is left; or, with a kind and name, that object no longer exists."""

    selector: str = ""
    kind: str = ""
    name: str = ""


@dataclass(frozen=True)
class JobDone:
    name: str


Goal = RolloutReady | Gone | JobDone


class View(Protocol):
    """Objects that carry our label, and recent warnings under the kind Event."""

    def get(self, kind: str, name: str) -> Any | None: ...
    def all(self, kind: str) -> list[Any]: ...


@dataclass(frozen=True)
class Judgement:
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
        return f"the deletion of {goal.kind}/{goal.name}" if goal.kind else f"the end of the pods of {pods}"
    return f"Job/{goal.name}" if isinstance(goal, JobDone) else f"{goal.kind}/{goal.name}"


def judge(view: View, goal: Goal, floor: Mapping[RolloutReady, int], since: datetime) -> Judgement:
    """floor: generation of each workload when the wait began, older ones do not count; since: of warnings."""
    if isinstance(goal, Gone):
        return _gone(view, goal)
    if isinstance(goal, JobDone):
        return _job(view, goal, since)
    return _rollout(view, goal, floor.get(goal, 0), since)


def _gone(view: View, goal: Gone) -> Judgement:
    if goal.kind:
        return Judgement(view.get(goal.kind, goal.name) is None, f"{goal.kind}/{goal.name} still exists")
    want = kube.parse_selector(goal.selector)
    names = sorted(kube.name(p) for p in view.all("Pod") if kube.matches(p, want) and not kube.finished(p))
    return Judgement(not names, f"{text.count(len(names), 'pod')} left: {', '.join(names)}")


def _job(view: View, goal: JobDone, since: datetime) -> Judgement:
    obj = view.get("Job", goal.name)
    if obj is None:
        return Judgement(False, f"Job/{goal.name} does not exist yet")
    done, failure, state = job_state(obj)
    pods = newest_pods(obj, (), view.all("Pod"))
    found = [t for p in pods if (t := pod_trouble(p, again=False))]
    if failure is not None:
        newest = sorted(pods, key=kube.created, reverse=True)
        found = [t for p in newest for t in failed_containers(p)][:1] or [failure]
    elif not pods:
        refused = creation_refused(obj, "", view.all("Event"), since)
        found = [refused] if refused else []
    return Judgement(done, _lines(f"Job/{goal.name} {state}", pods), _with_warnings(view, found, pods, since))


def _rollout(view: View, goal: RolloutReady, floor: int, since: datetime) -> Judgement:
    head = f"{goal.kind}/{goal.name}"
    obj = view.get(goal.kind, goal.name)
    if obj is None:
        return Judgement(False, f"{head} does not exist yet")
    if kube.generation(obj) < floor or not change_seen(obj):
        # Status and pods are those of the spec before: nobody is to blame yet.
        return Judgement(False, f"{head} the controller has not seen the change yet")
    now = rollout(obj)
    sets, every = view.all("ReplicaSet") if goal.kind == "Deployment" else [], view.all("Pod")
    pods = newest_pods(obj, sets, every)
    found = [t for p in pods if (t := pod_trouble(p))]
    if any(kube.deleted(p) for p in every):
        # Pods that end give their share of the nodes back, after their drain.
        found = [replace(t, hopeless=False) if t.reason == "Unschedulable" else t for t in found]
    own = rollout_trouble(obj, sets) or creation_refused(obj, newest_owner(obj, sets), view.all("Event"), since)
    if own is not None and not found:
        found.append(own)
    stuck = stuck_revision(obj, every)
    if stuck:
        words = (
            f"pod {stuck} of an earlier revision cannot start, and the controller waits for it; "
            "delete the pod to let the new revision in"
        )
        found.append(Trouble(head, "stuck revision", words, stuck))
    return Judgement(now.complete, _lines(f"{head} {now.words}", pods), _with_warnings(view, found, pods, since))


def _with_warnings(view: View, found: list[Trouble], pods: list[Object], since: datetime) -> tuple[Trouble, ...]:
    """What only events know: mounts and claims. Asked when nothing worse is known, since it is looked up per pod."""
    if any(t.hopeless for t in found):
        return tuple(found)
    events = view.all("Event")
    more = [t for p in pods for look in (mount_trouble, claim_trouble) if (t := look(p, events, since))]
    return (*sorted(more, key=lambda t: not t.hopeless), *found)


def _lines(head: str, pods: Iterable[Object]) -> str:
    return "\n".join([head, *(f"  {pod_summary(p)}" for p in pods)])
