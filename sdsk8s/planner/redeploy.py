"""`redeploy`: new pods from the image that each recorded tag points to now. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Apply, Group, Node, Plan, Record, Restart, WaitReady, group, walk


def plan_redeploy(
    target: str, levels: Sequence[Sequence[Desired]], live: Observed, namespace: str, notes: tuple[str, ...] = ()
) -> Plan:
    """Every running workload gets new pods, with the image that its tag means now. Claims are left alone."""
    root: list[Node] = []
    more: list[str] = []
    for level in levels:
        children: list[Node] = []
        for w in level:
            if not kubernetes.is_running(w.component, live):
                more.append(f"{w.component.name} is stopped and stays stopped")
            changes = kubernetes.deploy(w, live, running=kubernetes.is_running(w.component, live))
            steps = [step for node in changes for step in walk(node)]
            applied = {kube.key(s.obj) for s in steps if isinstance(s, Apply)}
            again: list[Node] = [
                Restart("same image, new pods", *key)
                for key in kubernetes.workloads(w.component, live)
                if key not in applied and (live.replicas(*key) or 0) > 0
            ]
            waits: list[Node] = [
                WaitReady("wait for readiness", *key)
                for key in kubernetes.workloads(w.component, live)
                if (live.replicas(*key) or 0) > 0
            ]
            record: list[Node] = [Record("for `history` and `undo`", w.component.name, w.objects)] if changes else []
            stuck = kubernetes.unstick([*changes, *again], live)
            after = [*group("restart", again, parallel=True), *stuck, *group("wait", waits, parallel=True), *record]
            children.extend(group(w.component.name, [*changes, *after]))
        root.extend(group("redeploy " + ", ".join(w.component.name for w in level), children, parallel=True))
    return Plan("redeploy", target, namespace, Group("redeploy", tuple(root)), (*notes, *more))


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
