"""`start`: what is missing is applied, what is at 0 gets its recorded replicas, then everything is waited for."""

from __future__ import annotations

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Apply, Group, Node, Plan, group, walk


def plan_start(target: str, levels: list[list[Desired]], live: Observed, space: Object) -> Plan:
    """levels: stores first, then components; the members of one level start in parallel.

    A component whose workloads all run and are ready gets no step; what exists is never re-applied (that is
    `update`).
    """
    root = start_nodes(levels, live, space)
    everything = [w for level in levels for w in level]
    idle = [w.component.name for w in everything if not component_nodes(w, live) and not w.component.store]
    notes = tuple(f"{name} is already running" for name in idle)
    return Plan("start", target, kube.name(space), Group("start", tuple(root)), notes)


def start_nodes(levels: list[list[Desired]], live: Observed, space: Object) -> list[Node]:
    """Steps of a start; also the second half of a reset."""
    bodies = []
    for level in levels:
        children: list[Node] = []
        for w in level:
            children.extend(group(w.component.name, component_nodes(w, live)))
        bodies.extend(group("start " + ", ".join(w.component.name for w in level), children, parallel=True))
    head: list[Node] = []
    if bodies and live.get("Namespace", kube.name(space)) is None:
        head.append(Apply("missing", space, "create"))
    needs_images = [w for level in levels for w in level if any(isinstance(s, Apply) for s in _steps(w, live))]
    return [*kubernetes.builds(needs_images, live), *head, *bodies]


def component_nodes(w: Desired, live: Observed) -> list[Node]:
    """Steps that bring one component up; none when it is up."""
    changes = [*kubernetes.deploy(w, live, running=None, only_missing=True), *kubernetes.scale_up(w, live)]
    return [*changes, *kubernetes.wait_ready(w, live, changes)]


def _steps(w: Desired, live: Observed) -> list[object]:
    return [s for node in component_nodes(w, live) for s in walk(node)]
