"""`prune`: stops and deletes what this site no longer declares. Pure.

Claims are never deleted: they hold data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.planner.steps import Delete, Group, Node, Plan, Scale, WaitGone, group

_NOT_DECLARED = ("Namespace", "Pod")
"""Kinds that no manifest declares by name."""
_DATA = "PersistentVolumeClaim"
_FIRST = ("Deployment", "StatefulSet", "CronJob", "Job")
"""Kinds that make pods; they are deleted before what their pods read."""


def plan_prune(
    target: str, declared: Collection[tuple[str, str]], names: Collection[str], live: Observed, namespace: str
) -> Plan:
    """declared: (kind, name) of every object of the site. names: the components that live in the cluster.

    An object is ours when it has our component label; Jobs of a declared component belong to its updates.
    """
    left: dict[str, list[Object]] = {}
    notes = []
    for kind, objects in live.objects.items():
        for name, obj in sorted(objects.items()):
            owner = kube.component(obj)
            if not owner or kind in _NOT_DECLARED or (kind, name) in declared or (kind == "Job" and owner in names):
                continue
            if _takes_its_claims(obj):
                notes.append(f"{kind}/{name} is kept: Kubernetes would delete its PersistentVolumeClaims with it")
            elif kind != _DATA:
                left.setdefault(owner, []).append({**obj, "kind": kind})
                if kube.spec(obj).get("volumeClaimTemplates"):
                    notes.append(f"the PersistentVolumeClaims of {kind}/{name} are kept: they hold data")
            elif owner not in names:
                notes.append(f"{kind}/{name} is kept: it holds data. Delete it by hand if you do not need it")
    root: list[Node] = []
    for owner in sorted(left):
        why = "workload removed" if owner in names else "component removed"
        root.extend(group(owner, _steps(left[owner], f"{why} from this site")))
    if not root and not notes:
        notes.append("everything in the namespace is declared")
    return Plan("prune", target, namespace, Group("prune", tuple(root)), tuple(notes))


def _takes_its_claims(obj: Object) -> bool:
    """True for a StatefulSet whose own policy deletes its claims when it is deleted or scaled down."""
    return "Delete" in (kube.spec(obj).get("persistentVolumeClaimRetentionPolicy") or {}).values()


def _steps(objects: Iterable[Object], reason: str) -> list[Node]:
    ordered = sorted(objects, key=lambda o: (kube.kind(o) not in _FIRST, kube.kind(o), kube.name(o)))
    running = [o for o in ordered if kube.kind(o) in WORKLOADS and kube.replicas(o) > 0]
    stops: list[Node] = [Scale(reason, kube.kind(o), kube.name(o), kube.replicas(o), 0) for o in running]
    waits: list[Node] = [WaitGone("wait for pods to terminate", kube.selector_text(o), kube.name(o)) for o in running]
    deletes: list[Node] = [Delete(reason, kube.kind(o), kube.name(o)) for o in ordered]
    return [*group("stop", stops, parallel=True), *group("wait", waits, parallel=True), *deletes]
