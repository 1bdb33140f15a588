"""Which image references run now, so that a start or a config-only update keeps them."""

from __future__ import annotations

from sdsk8s.model import kube
from sdsk8s.model.bundle import ENV, STEP
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import workloads

LOGICAL = "sds/"


def live_images(component: Component, live: Observed) -> dict[str, tuple[str, str | None]]:
    """{logical image: (tagged reference, digest or None)} of the component's existing workloads."""
    logical = {
        c["name"]: c["image"].removeprefix(LOGICAL)
        for m in component.manifests
        for c in kube.containers(m)
        if str(c.get("image", "")).startswith(LOGICAL)
    }
    found: dict[str, tuple[str, str | None]] = {}
    for kind, name in workloads(component, live):
        for c in kube.containers(live.get(kind, name) or {}):
            if c["name"] in logical:
                ref, _, digest = str(c["image"]).partition("@")
                found[logical[c["name"]]] = (ref, digest or None)
    return found


def live_bundles(component: Component, live: Observed) -> dict[str, tuple[str, str | None]]:
    """{queue: (reference, digest or None)} of the bundles that the component's workers run."""
    found: dict[str, tuple[str, str | None]] = {}
    for kind, name in workloads(component, live):
        for c in kube.containers(live.get(kind, name) or {}):
            ref = _env(c, ENV)
            if c["name"] == STEP and ref:
                tagged, _, digest = ref.partition("@")
                found[queue_of(live.get(kind, name) or {})] = (tagged, digest or None)
    return found


def queue_of(obj: Object) -> str:
    """The queue that a worker serves; empty for anything else."""
    return next((q for c in kube.containers(obj) if (q := _env(c, "SDS_QUEUE"))), "")


def _env(container: Object, name: str) -> str:
    return next((str(e.get("value", "")) for e in container.get("env") or () if e["name"] == name), "")
