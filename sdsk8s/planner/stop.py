"""`stop`: workers drain within their grace period, replicas are recorded, claims stay bound."""

from __future__ import annotations

from sdsk8s.model.component import Component
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.steps import Group, Node, Plan, group


def plan_stop(target: str, components: list[list[Component]], live: Observed, namespace: str) -> Plan:
    """components: in start order; they are stopped in the reverse order, so that nothing loses what it needs."""
    root: list[Node] = []
    notes = []
    for level in reversed(components):
        children: list[Node] = []
        for c in level:
            steps = kubernetes.stop(c, live)
            if not steps:
                notes.append(f"{c.name} is already stopped")
            children.extend(group(c.name, steps))
        root.extend(group("stop " + ", ".join(c.name for c in level), children, parallel=True))
    return Plan("stop", target, namespace, Group("stop", tuple(root)), tuple(notes))
