"""`update`: new images from the tree and new configuration, rolled out where something changed.

What is stopped stays stopped, as with the legacy tool: its objects change, its replicas stay 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import CONFIG_HASH, WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Apply, Group, Node, Plan, group


def plan_update(
    target: str,
    levels: list[list[Desired]],
    live: Observed,
    space: Object,
    *,
    config_only: bool,
    stores: Sequence[Desired] = (),
) -> Plan:
    """levels: components in start order. stores: those that the components need and that are deployed; only their
    configuration is followed (a changed password must reach both sides), their images are not.

    config_only: nothing is built, and a workload is only touched when configuration that it reads has changed.
    """
    notes = []
    bodies: list[Node] = []
    for w in stores:
        up = kubernetes.is_running(w.component, live)
        part = _config_part(w, live)
        changes = kubernetes.deploy(part, live, running=up)
        after = kubernetes.wait_ready(part, live, changes) if changes and up else []
        bodies.extend(group(f"configuration of {w.component.name}", [*changes, *after]))
        if changes:
            notes.append(
                f"{w.component.name} restarts with a new configuration; "
                "update every component that uses it: sds update all -c"
            )
    for level in levels:
        children: list[Node] = []
        for w in level:
            chosen = _config_part(w, live) if config_only else w
            up = kubernetes.is_running(w.component, live)
            changes = kubernetes.deploy(chosen, live, running=up)
            if up:
                changes += kubernetes.unstick(changes, live)
            after = kubernetes.wait_ready(chosen, live, changes) if changes and up else []
            prune = kubernetes.prune_jobs(w, live) if changes and up and not config_only else []
            children.extend(group(w.component.name, [*changes, *after, *prune]))
            if not changes:
                notes.append(kubernetes.unchanged(w.component.name))
            elif not up:
                notes.append(f"{w.component.name} is stopped and stays stopped: sds start {w.component.name}")
        bodies.extend(group("update " + ", ".join(w.component.name for w in level), children, parallel=True))
    head: list[Node] = []
    if bodies and live.get("Namespace", kube.name(space)) is None:
        head.append(Apply("missing", space, "create"))
    images = [] if config_only else kubernetes.builds([w for level in levels for w in level], live)
    root = Group("update", (*images, *head, *bodies))
    return Plan("update", target, kube.name(space), root, tuple(notes))


def _config_part(w: Desired, live: Observed) -> Desired:
    """Configuration objects, and the workloads whose configuration hash differs from the live one."""
    keep = []
    for obj in w.objects:
        if obj["kind"] in ("ConfigMap", "Secret"):
            keep.append(obj)
        elif obj["kind"] in WORKLOADS:
            old = live.get(*kube.key(obj))
            if old is not None and _config_hash(old) != _config_hash(obj):
                keep.append(obj)
    return Desired(w.component, tuple(keep), {})


def _config_hash(obj: Object) -> str:
    return kube.annotation(kube.pod_template(obj), CONFIG_HASH)
