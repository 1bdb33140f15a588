"""`reset`: stop, wait until the pods are gone, run the component's own clearing commands, start.

The stores are started first when they are down: their clearing commands run inside their pods.
"""

from __future__ import annotations

import dataclasses

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import REPLICAS
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.start import start_nodes
from sdsk8s.planner.steps import Group, Node, Plan, group


def plan_reset(
    target: str, stores: list[list[Desired]], levels: list[list[Desired]], live: Observed, space: Object
) -> Plan:
    """stores, levels: in start order."""
    root: list[Node] = []
    hold: list[Node] = []
    flat = [w for level in levels for w in level]
    for level in reversed(levels):
        for w in level:
            hold.extend(group(w.component.name, kubernetes.stop(w.component, live)))
    root.extend(group("stop", hold, parallel=True))
    root.extend(start_nodes(stores, live, space))
    for w in flat:
        root.extend(group(f"clear {w.component.name}", kubernetes.reset_hooks(w.component)))
    root.extend(start_nodes(levels, _stopped(flat, live), space))
    return Plan("reset", target, kube.name(space), Group("reset", tuple(root)))


def _stopped(wanted: list[Desired], live: Observed) -> Observed:
    """The snapshot as it will be after the stop: workloads at 0 with their replicas recorded, no pods."""
    objects = {kind: dict(named) for kind, named in live.objects.items()}
    names = {w.component.name for w in wanted}
    for w in wanted:
        for kind, name in kubernetes.workloads(w.component, live):
            old = dict(objects[kind][name])
            before = live.replicas(kind, name) or 0
            meta = dict(old["metadata"])
            if before > 0:
                meta["annotations"] = {**(meta.get("annotations") or {}), REPLICAS: str(before)}
            objects[kind][name] = {**old, "metadata": meta, "spec": {**old["spec"], "replicas": 0}, "status": {}}
    pods = objects.get("Pod", {})
    objects["Pod"] = {n: p for n, p in pods.items() if kube.component(p) not in names}
    return dataclasses.replace(live, objects=objects)
