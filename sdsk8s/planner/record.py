"""Steps that record what a plan applies as the next revision of each component. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from sdsk8s.model import kube
from sdsk8s.model.history import Revision, Trees, fingerprint
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Apply, Group, Node, Plan, Record, WaitReady, group, walk


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
        record = Record("for `history` and `undo`", name, w.objects, (trees or {}).get(name))
        root, found = _append(root, name, record)
        head = newest.get(name)
        deployed = bool(kubernetes.workloads(w.component, live))
        changed = any(isinstance(s, Apply) and kube.component(s.obj) == name for s in walk(root))
        if (
            found
            or changed
            or not deployed
            or not _as_wanted_after(plan, w, live)
            or (head and head.content == fingerprint(w.objects, live.digests))
        ):
            continue
        waits = kubernetes.wait_ready(w, live, [])
        late += group(name, [*waits, record])
        truth[kubernetes.unchanged(name)] = _unfinished(name, waits)
    root = dataclasses.replace(root, children=(*root.children, *group("record", late, parallel=True)))
    return dataclasses.replace(plan, root=root, notes=tuple(truth.get(note, note) for note in plan.notes))


def _unfinished(name: str, waits: list[Node]) -> str:
    """What is true of a component that is as wanted although no run has recorded it."""
    rolling = [f"{s.kind}/{s.name}" for node in waits for s in walk(node) if isinstance(s, WaitReady)]
    rest = f"waiting for {', '.join(rolling)}, then recording" if rolling else "its pods are ready: recording"
    return f"{name}: already applied by an earlier run that was interrupted; {rest} the revision"


def _as_wanted_after(plan: Plan, w: Desired, live: Observed) -> bool:
    """True when every object of the component is as wanted by now, or is applied by the plan."""
    applied = {kube.key(s.obj) for s in plan.steps() if isinstance(s, Apply)}
    return all(o["kind"] == "Job" or kube.key(o) in applied or not kubernetes.differs(o, live) for o in w.objects)


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
