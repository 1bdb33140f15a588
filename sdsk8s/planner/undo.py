"""`undo`, and the way back from a failed update: recorded objects are applied again. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Group, Node, Plan, Record, group


def plan_undo(
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
            up = kubernetes.is_running(w.component, live)
            changes = kubernetes.deploy(w, live, running=up)
            stuck = kubernetes.unstick(changes, live, always=True) if up else []
            after = kubernetes.wait_ready(w, live, changes) if up else []
            prune = kubernetes.prune_jobs(w, live) if changes and up else []
            record: list[Node] = [Record("for `history` and `undo`", w.component.name, w.objects)] if changes else []
            steps = [*changes, *stuck, *after, *prune, *record]
            children.extend(group(w.component.name, steps))
        root.extend(group(f"{verb} " + ", ".join(w.component.name for w in level), children, parallel=True))
    return Plan(verb, target, namespace, Group(verb, tuple(root)), notes)
