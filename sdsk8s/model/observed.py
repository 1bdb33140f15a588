"""What a planner is allowed to know of the cluster and the registry: one snapshot, taken before planning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.names import APPLIED, REPLICAS
from sdsk8s.model.rollout import rollout

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """objects: {kind: {name: object}} as the API server gave them; digests: {image reference: digest or None}."""

    objects: Mapping[str, Mapping[str, Object]] = field(default_factory=dict)
    digests: Mapping[str, str | None] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Object | None:
        return self.objects.get(kind, {}).get(name)

    def applied_hash(self, kind: str, name: str) -> str:
        """Hash that our last apply left on the object; empty if it does not exist or is not ours."""
        obj = self.get(kind, name)
        return kube.annotation(obj or {}, APPLIED)

    def replicas(self, kind: str, name: str) -> int | None:
        """Desired replicas now, or None when the workload does not exist."""
        obj = self.get(kind, name)
        return None if obj is None else kube.replicas(obj)

    def recorded(self, kind: str, name: str) -> int | None:
        """Replicas recorded by the last stop."""
        obj = self.get(kind, name) or {}
        value = kube.annotation(obj, REPLICAS)
        return int(value) if value.isdigit() else None

    def ready(self, kind: str, name: str) -> bool:
        """True when its rollout is complete: what a wait for it would say."""
        obj = self.get(kind, name)
        if obj is None:
            return False
        return rollout(obj).complete

    def pods(self, component: str) -> list[Object]:
        """The component's pods, those of finished Jobs left out."""
        return [
            p for p in self.objects.get("Pod", {}).values() if kube.component(p) == component and not kube.finished(p)
        ]
