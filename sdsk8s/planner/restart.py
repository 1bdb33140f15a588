"""`restart`: new pods, nothing else changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.steps import Group, Node, Plan, Restart, WaitReady, group


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
            keys = [k for k in kubernetes.workloads(c, live) if workload in ("", k[1])]
            running = [k for k in keys if (live.replicas(*k) or 0) > 0]
            if not running:
                notes.append(f"{c.name}{'/' + workload if workload else ''} is not running: nothing to restart")
            restarts += [Restart("requested", *k) for k in running]
            waits += [WaitReady("wait for readiness", *k) for k in running]
        stuck = kubernetes.unstick(restarts, live)
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
        join = all(_serves_throughout(live.get(*key) or {}) for c in out[-1] for key in kubernetes.workloads(c, live))
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
