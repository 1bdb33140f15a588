"""Plans around revisions: recording one, going back to one, restarting, and pulling an image again. Pure."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.history import Revision, Trees, fingerprint
from sdsk8s.model.kube import Object
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes as parts
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import (
    Apply,
    Group,
    Node,
    Plan,
    Record,
    Restart,
    WaitReady,
    group,
    walk,
)


def with_records(
    plan: Plan,
    wanted: Iterable[Desired],
    live: Observed,
    newest: Mapping[str, Revision],
    trees: Mapping[str, Trees] | None = None,
) -> Plan:
    """The plan with a Record behind the steps of every component that it changes.

    A component that is as wanted but was never recorded so (the run that did it has died) is recorded too.
    """
    root = plan.root
    late: list[Node] = []
    truth: dict[str, str] = {}
    for w in wanted:
        name = w.component.name
        if plan.verb != "update" and not _as_wanted_after(plan, w, live):
            continue  # a start applies what is missing alone: what runs is not what the files say by now
        record = Record("for history and undo", name, w.objects, (trees or {}).get(name))
        root, found = _append(root, name, record)
        head = newest.get(name)
        deployed = bool(parts.workloads(w.component, live))
        changed = any(isinstance(s, Apply) and kube.component(s.obj) == name for s in walk(root))
        if (
            found
            or changed
            or not deployed
            or not _as_wanted_after(plan, w, live)
            or (head and head.content == fingerprint(w.objects, live.digests))
        ):
            continue
        waits = parts.wait_ready(w, live, [])
        late += group(name, [*waits, record])
        truth[parts.unchanged(name)] = _unfinished(name, waits)
    root = dataclasses.replace(root, children=(*root.children, *group("record", late, parallel=True)))
    return dataclasses.replace(plan, root=root, notes=tuple(truth.get(note, note) for note in plan.notes))


def _unfinished(name: str, waits: list[Node]) -> str:
    """What is true of a component that is as wanted although no run has recorded it."""
    rolling = [f"{s.kind}/{s.name}" for node in waits for s in walk(node) if isinstance(s, WaitReady)]
    rest = f"waiting for {', '.join(rolling)}, then recording" if rolling else "its pods are ready: recording"
    return f"{name}: an earlier run has applied this and did not end: {rest} the revision"


def _as_wanted_after(plan: Plan, w: Desired, live: Observed) -> bool:
    """True when every object of the component is as wanted by now, or is applied by the plan."""
    applied = {kube.key(s.obj) for s in plan.steps() if isinstance(s, Apply)}
    return all(o["kind"] == "Job" or kube.key(o) in applied or not parts.differs(o, live) for o in w.objects)


def _append(node: Group, name: str, record: Record) -> tuple[Group, bool]:
    if node.title in (name, f"configuration of {name}") and any(
        isinstance(s, Apply) and kube.component(s.obj) == name for s in walk(node)
    ):
        return dataclasses.replace(node, children=(*node.children, record)), True
    children: list[Node] = []
    found = False
    for child in node.children:
        if isinstance(child, Group) and not found:
            child, found = _append(child, name, record)
        children.append(child)
    return dataclasses.replace(node, children=tuple(children)), found


def plan_back(
    verb: str,
    target: str,
    levels: Sequence[Sequence[Desired]],
    live: Observed,
    namespace: str,
    notes: tuple[str, ...] = (),
) -> Plan:
    """`undo` and the rollback of a failed update: the recorded objects again, images and configuration together.

    A StatefulSet whose pods of the bad revision never became ready is freed: its controller would wait for them.
    """
    root: list[Node] = []
    for level in levels:
        children: list[Node] = []
        for w in level:
            up = parts.is_running(w.component, live)
            changes = parts.deploy(w, live, running=up)
            stuck = parts.unstick(changes, live, always=True) if up else []
            after = parts.wait_ready(w, live, changes) if up else []
            prune = parts.prune_jobs(w, live) if changes and up else []
            record: list[Node] = [Record("for history and undo", w.component.name, w.objects)] if changes else []
            steps = [*changes, *stuck, *after, *prune, *record]
            children.extend(group(w.component.name, steps))
        root.extend(group(f"{verb} " + ", ".join(w.component.name for w in level), children, parallel=True))
    return Plan(verb, target, namespace, Group(verb, tuple(root)), notes)


def plan_redeploy(
    target: str, levels: Sequence[Sequence[Desired]], live: Observed, namespace: str, notes: tuple[str, ...] = ()
) -> Plan:
    """Every running workload gets new pods, with the image that its tag means now. Claims are left alone."""
    root: list[Node] = []
    more: list[str] = []
    for level in levels:
        children: list[Node] = []
        for w in level:
            if not parts.is_running(w.component, live):
                more.append(f"{w.component.name} is stopped and stays stopped")
            changes = parts.deploy(w, live, running=parts.is_running(w.component, live))
            steps = [step for node in changes for step in walk(node)]
            applied = {kube.key(s.obj) for s in steps if isinstance(s, Apply)}
            again: list[Node] = [
                Restart("the image is the same", *key)
                for key in parts.workloads(w.component, live)
                if key not in applied and (live.replicas(*key) or 0) > 0
            ]
            waits: list[Node] = [
                WaitReady("done means that pods serve", *key)
                for key in parts.workloads(w.component, live)
                if (live.replicas(*key) or 0) > 0
            ]
            record: list[Node] = [Record("for history and undo", w.component.name, w.objects)] if changes else []
            stuck = parts.unstick([*changes, *again], live)
            after = [*group("restart", again, parallel=True), *stuck, *group("wait", waits, parallel=True), *record]
            children.extend(group(w.component.name, [*changes, *after]))
        root.extend(group("redeploy " + ", ".join(w.component.name for w in level), children, parallel=True))
    return Plan("redeploy", target, namespace, Group("redeploy", tuple(root)), (*notes, *more))


def plan_restart(
    target: str, levels: Sequence[Sequence[Component]], live: Observed, namespace: str, workload: str = ""
) -> Plan:
    """New pods for every running workload, or for one; siblings keep theirs.

    Components that serve all through their restart need not be waited for by those that use them.
    """
    root: list[Node] = []
    notes: list[str] = []
    for level in _as_parallel_as_safe(levels, live):
        restarts: list[Node] = []
        waits: list[Node] = []
        for c in level:
            keys = [k for k in parts.workloads(c, live) if workload in ("", k[1])]
            running = [k for k in keys if (live.replicas(*k) or 0) > 0]
            if not running:
                notes.append(f"{c.name}{'/' + workload if workload else ''} is not running: nothing to restart")
            restarts += [Restart("as asked", *k) for k in running]
            waits += [WaitReady("done means that pods serve", *k) for k in running]
        stuck = parts.unstick(restarts, live)
        steps = [*group("restart", restarts, parallel=True), *stuck, *group("wait", waits, parallel=True)]
        root.extend(group("restart " + ", ".join(c.name for c in level), steps))
    return Plan("restart", target, namespace, Group("restart", tuple(root)), tuple(notes))


def _as_parallel_as_safe(levels: Sequence[Sequence[Component]], live: Observed) -> list[list[Component]]:
    out: list[list[Component]] = []
    join = False
    for level in levels:
        if join:
            out[-1].extend(level)
        else:
            out.append(list(level))
        join = all(_serves_throughout(live.get(*key) or {}) for c in out[-1] for key in parts.workloads(c, live))
    return out


def _serves_throughout(workload: Object) -> bool:
    """True when a restart leaves as many pods ready as before: a Deployment that adds a pod before it takes one."""
    strategy = kube.spec(workload).get("strategy") or {}
    if kube.kind(workload) != "Deployment" or strategy.get("type") == "Recreate":
        return False
    most = str((strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%"))
    # A percentage is rounded down, so a single replica with 25 % is kept too.
    replicas = kube.replicas(workload)
    away = int(most[:-1]) * replicas // 100 if most.endswith("%") else int(most)
    return away < replicas


def with_digests(objects: Sequence[Object], digests: Mapping[str, str | None]) -> tuple[dict[str, Any], ...]:
    """Copies of recorded objects whose images are what their tags mean now; unknown ones keep their digest."""
    out = []
    for obj in objects:
        clone = copy.deepcopy(dict(obj))
        if clone["kind"] in WORKLOADS:
            for c in kube.containers(clone):
                ref = str(c.get("image", "")).partition("@")[0]
                if digests.get(ref):
                    c["image"] = f"{ref}@{digests[ref]}"
        out.append(clone)
    return tuple(out)
