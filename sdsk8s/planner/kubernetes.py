"""Pieces that the verbs share. Pure: desired objects and a snapshot in, steps out."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.names import APPLIED, CONFIG_HASH, REPLICAS, WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.planner.steps import (
    Apply,
    Build,
    Delete,
    Exec,
    Node,
    Restart,
    Scale,
    Unstick,
    WaitGone,
    WaitJob,
    WaitReady,
    group,
    walk,
)

log = logging.getLogger("sdsk8s.plan")


@dataclass(frozen=True)
class Desired:
    """One component as it is to be.

    objects  rendered objects in apply order, images still as tagged references
    builds   {image: reference} of the images that the objects use
    """

    component: Component
    objects: tuple[Object, ...]
    builds: Mapping[str, str]


def unchanged(component: str) -> str:
    """The note on a component that is as its tree and configuration say."""
    return f"{component}: no change in code or configuration"


def builds(wanted: list[Desired], live: Observed) -> list[Node]:
    """A Build for every reference that the registry does not have, each once."""
    missing: dict[str, str] = {}
    for w in wanted:
        missing |= {ref: image for image, ref in w.builds.items() if not live.digests.get(ref)}
    steps: list[Node] = [Build("missing in the registry", image, ref) for ref, image in sorted(missing.items())]
    return group("images", steps)


def differs(obj: Object, live: Observed) -> bool:
    """True when the object is not there, was applied with other content, or runs another image than it is to."""
    return live.applied_hash(*kube.key(obj)) != kube.annotation(obj, APPLIED) or bool(other_images(obj, live))


def other_images(obj: Object, live: Observed) -> list[str]:
    """Containers of an existing workload that run another digest than wanted: a moved tag, or somebody's hand."""
    old = live.get(*kube.key(obj))
    if obj["kind"] not in WORKLOADS or old is None:
        return []
    runs = {c["name"]: str(c.get("image", "")) for c in kube.containers(old)}
    out = []
    for c in kube.containers(obj):
        ref, _, digest = str(c.get("image", "")).partition("@")
        digest = digest or live.digests.get(ref) or ""
        # A tag without a digest was applied so, where the registry could not be asked: that is no difference.
        if digest and runs.get(c["name"], ref) not in (ref, f"{ref}@{digest}"):
            out.append(str(c["name"]))
    return out


def apply_step(obj: Object, live: Observed, *, reason: str, running: bool | None) -> Apply:
    """Apply keeping the live replicas. A new workload starts with its own replicas, or with 0 and the number
    recorded when `running` is False; None means "as it is, new ones run"."""
    kind, name = kube.key(obj)
    exists = live.get(kind, name) is not None
    if kind in WORKLOADS:
        clone: dict[str, Any] = copy.deepcopy(dict(obj))
        desired = kube.replicas(clone)
        notes = clone["metadata"].setdefault("annotations", {})
        if exists:
            clone["spec"]["replicas"] = live.replicas(kind, name)
            if live.recorded(kind, name) is not None:
                notes[REPLICAS] = str(live.recorded(kind, name))
        elif running is False:
            clone["spec"]["replicas"] = 0
            notes[REPLICAS] = str(desired)
        obj = clone
    return Apply(reason, obj, "update" if exists else "create")


def deploy(w: Desired, live: Observed, *, running: bool | None, only_missing: bool = False) -> list[Node]:
    """Apply what differs (or only what is missing), run a new schema Job to its end, then the workloads.

    Waiting for the workloads is left to the caller. A Job only runs when the component's pods are to run.
    """
    early: list[Node] = []
    late: list[Node] = []
    for obj in w.objects:
        kind, name = kube.key(obj)
        exists = live.get(kind, name) is not None
        if exists and (only_missing or kind == "Job" or not differs(obj, live)):
            log.debug("%s: %s %s stays: %s", w.component.name, kind, name, _why_not(kind, only_missing))
            continue
        if kind == "Job":
            if running is False or (only_missing and is_running(w.component, live)):
                continue
            early.append(apply_step(obj, live, reason="schema Job of this revision", running=running))
            early.append(WaitJob("workloads start after the schema Job", name))
        elif kind in WORKLOADS:
            late.append(apply_step(obj, live, reason=_why(obj, live), running=running))
        else:
            early.append(apply_step(obj, live, reason=_why(obj, live), running=running))
    return [*early, *group("workloads", late, parallel=True)]


def _why_not(kind: str, only_missing: bool) -> str:
    if only_missing:
        return "it exists, and only missing objects are created"
    return "a Job runs once per revision" if kind == "Job" else "the same content is recorded on it"


def _why(obj: Object, live: Observed) -> str:
    old = live.get(*kube.key(obj))
    if old is None:
        return "missing"
    changed = []
    was, now = kube.pod_template(old), kube.pod_template(obj)
    if was and now:
        if _tagged(old) != _tagged(obj) or other_images(obj, live):
            changed.append("image")
        if kube.annotation(was, CONFIG_HASH) != kube.annotation(now, CONFIG_HASH):
            changed.append("configuration")
    elif obj["kind"] in ("ConfigMap", "Secret"):
        before, after = old.get("data") or {}, obj.get("data") or {}
        keys = sorted(k for k in {*before, *after} if before.get(k) != after.get(k))
        if obj["kind"] == "ConfigMap" and keys:
            return f"changed: {', '.join(keys)}"
    return f"changed: {', '.join(changed)}" if changed else "changed"


def _tagged(obj: Object) -> list[str]:
    return [image.partition("@")[0] for image in kube.images(obj)]


def workloads(component: Component, live: Observed) -> list[tuple[str, str]]:
    """(kind, name) of the component's workloads that exist."""
    return [
        (kind, name)
        for kind in WORKLOADS
        for name, obj in sorted(live.objects.get(kind, {}).items())
        if kube.component(obj) == component.name
    ]


def is_running(component: Component, live: Observed) -> bool:
    """True when at least one of its workloads wants a replica."""
    return any((live.replicas(k, n) or 0) > 0 for k, n in workloads(component, live))


def scale_up(w: Desired, live: Observed) -> list[Node]:
    """Existing workloads at 0 back to the recorded replicas, else to those of the manifest."""
    steps: list[Node] = []
    desired = {kube.key(o): kube.replicas(o) for o in w.objects if o["kind"] in WORKLOADS}
    for kind, name in workloads(w.component, live):
        recorded = live.recorded(kind, name)
        want = recorded if recorded is not None else desired.get((kind, name), 0)
        if live.replicas(kind, name) == 0 and want > 0:
            reason = "recorded by the last stop" if recorded is not None else "replicas from the manifest"
            steps.append(Scale(reason, kind, name, 0, want))
    return steps


def unstick(changes: list[Node], live: Observed, *, always: bool = False) -> list[Node]:
    """For every StatefulSet that gets new pods and is not ready: its controller would wait for the pods of before."""
    names = []
    for step in (s for node in changes for s in walk(node)):
        if isinstance(step, Restart) and step.kind == "StatefulSet":
            names.append(step.name)
        elif isinstance(step, Apply) and step.obj["kind"] == "StatefulSet" and step.change == "update":
            names.append(kube.name(step.obj))
    return [
        Unstick("the rollout would wait for pods that never became ready", "StatefulSet", name)
        for name in names
        if always or not live.ready("StatefulSet", name)
    ]


def wait_ready(w: Desired, live: Observed, changes: list[Node]) -> list[Node]:
    """One wait per workload that the changes touch and leave running, or that runs but is not ready yet."""
    touched: dict[tuple[str, str], int] = {}
    for node in changes:
        for step in walk(node):
            if isinstance(step, Scale):
                touched[(step.kind, step.name)] = step.replicas
            elif isinstance(step, Apply) and step.obj["kind"] in WORKLOADS:
                touched[kube.key(step.obj)] = kube.replicas(step.obj)
    waits: list[Node] = []
    for key in [kube.key(o) for o in w.objects if o["kind"] in WORKLOADS]:
        replicas = touched.get(key, live.replicas(*key) or 0)
        if replicas > 0 and (key in touched or not live.ready(*key)):
            waits.append(WaitReady("wait for readiness", *key))
    return group("wait", waits, parallel=True)


def stop(component: Component, live: Observed) -> list[Node]:
    """Record replicas and scale to 0, all workloads in parallel, then wait until the pods have ended."""
    scales: list[Node] = [
        Scale("drain, then stop; replicas are recorded", kind, name, before, 0, record=before)
        for kind, name in workloads(component, live)
        if (before := live.replicas(kind, name) or 0) > 0
    ]
    if not scales and not live.pods(component.name):
        return []
    return [
        *group("scale", scales, parallel=True),
        WaitGone("wait for pods to terminate", component.selector(), component.name),
    ]


def reset_hooks(component: Component) -> list[Node]:
    """The component's own commands between stop and start."""
    return [Exec(h.title, kube.component_selector(h.within), h.container, h.command) for h in component.reset]


def prune_jobs(w: Desired, live: Observed) -> list[Node]:
    """Finished schema Jobs of earlier revisions."""
    keep = {kube.name(o) for o in w.objects if o["kind"] == "Job"}
    return [
        Delete("belongs to an earlier revision", "Job", name)
        for name, obj in sorted(live.objects.get("Job", {}).items())
        if keep and name not in keep and kube.component(obj) == w.component.name
    ]
