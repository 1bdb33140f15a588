"""Which image references run now, so that a start or a config-only update keeps them."""

from __future__ import annotations

from sdsk8s.model.component import Component
from sdsk8s.model.live import Live, Object
from sdsk8s.planner.parts import workloads

LOGICAL = "sds/"


def _containers(obj: Object) -> list[Object]:
    spec = obj.get("spec", {}).get("template", {}).get("spec", {})
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def live_images(component: Component, live: Live) -> dict[str, tuple[str, str | None]]:
    """{logical image: (tagged reference, digest or None)} of the component's existing workloads."""
    logical = {
        c["name"]: c["image"].removeprefix(LOGICAL)
        for m in component.manifests
        for c in _containers(m)
        if str(c.get("image", "")).startswith(LOGICAL)
    }
    found: dict[str, tuple[str, str | None]] = {}
    for kind, name in workloads(component, live):
        for c in _containers(live.get(kind, name) or {}):
            if c["name"] in logical:
                ref, _, digest = str(c["image"]).partition("@")
                found[logical[c["name"]]] = (ref, digest or None)
    return found
