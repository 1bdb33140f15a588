"""`scale`: another number of replicas for one workload. Later applies keep it, and a stop records it."""

from __future__ import annotations

from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.names import unknown
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.steps import Group, Node, Plan, Scale, WaitGone, WaitReady


def plan_scale(component: Component, workload: str, replicas: int, live: Observed, namespace: str) -> Plan:
    """workload: "" for the only one that the component has. 0 records what runs, as `stop` does, so that a start
    brings it back. RefusedError for stores: their number is part of how they keep data; and for what an autoscaler
    of the snapshot scales."""
    if component.store:
        raise RefusedError(
            f"refusing to scale {component.name}: a store's replica count is part of its data layout",
            target=component.name,
            next="change the replicas and the matching settings in its manifest",
        )
    keys = kubernetes.workloads(component, live)
    names = [name for _, name in keys]
    if not keys:
        raise RefusedError(f"{component.name} is not deployed", next=f"start {component.name}")
    if not workload and len(keys) > 1:
        raise UsageError(
            f"{component.name} has {len(keys)} workloads; choose one",
            words=", ".join(f"{component.name}/{name}" for name in names),
        )
    chosen = [key for key in keys if key[1] == (workload or names[0])]
    if not chosen:
        raise UsageError(f'no workload is called "{workload}"', target=component.name, words=unknown(workload, names))
    ((kind, name),) = chosen
    _refuse_scaled(kind, name, replicas, live, namespace)
    before = live.replicas(kind, name) or 0
    target = f"{component.name}/{name}"
    if before == replicas:
        return Plan("scale", target, namespace, Group("scale", ()), (f"{name} already has {replicas} replicas",))
    steps: list[Node] = [Scale("requested", kind, name, before, replicas, record=None if replicas else before)]
    if replicas:
        steps.append(WaitReady("wait for readiness", kind, name))
    else:
        steps.append(WaitGone("wait for pods to terminate", kube.selector_text(live.get(kind, name) or {}), name))
    return Plan("scale", target, namespace, Group("scale", tuple(steps)))


def _refuse_scaled(kind: str, name: str, replicas: int, live: Observed, namespace: str) -> None:
    """RefusedError when an autoscaler would undo the number."""
    for scaler, objects in sorted(live.objects.items(), reverse=True):  # KEDA's before the one that it makes
        for other, obj in sorted(objects.items() if scaler in _SCALERS else ()):
            aim = obj["spec"]["scaleTargetRef"]
            if (aim.get("kind", "Deployment"), aim["name"]) != (kind, name) or _rests(scaler, obj, replicas):
                continue
            raise RefusedError(
                f"{scaler}/{other} sets the replicas of {kind}/{name} and would reverse this change", target=name,
                words="nothing was changed", next=f"kubectl -n {namespace} " + _SCALERS[scaler].format(other, replicas),
            )  # fmt: skip


def _rests(scaler: str, obj: Object, replicas: int) -> bool:
    """True for an autoscaler that leaves the workload alone at this number."""
    if scaler == "HorizontalPodAutoscaler":
        return replicas == 0  # Kubernetes: autoscaling is off while the target wants 0
    notes = kube.annotations(obj)
    fixed = notes.get(f"{_PAUSED}-replicas")
    return bool(fixed == str(replicas) if fixed is not None else notes.get(_PAUSED) == "true")


_PAUSED = "autoscaling.keda.sh/paused"
_SCALERS = {
    "HorizontalPodAutoscaler": "edit horizontalpodautoscaler {}  # minReplicas, maxReplicas",
    "ScaledObject": "annotate --overwrite scaledobject {} " + _PAUSED + "-replicas={}",
}
