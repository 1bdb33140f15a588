"""What else sets replicas in the namespace, whatever created it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.backends.kubernetes.kinds import KINDS, Kind, path
from sdsk8s.model import kube

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

_KINDS = {
    "HorizontalPodAutoscaler": KINDS["HorizontalPodAutoscaler"],
    "ScaledObject": Kind("keda.sh/v1alpha1", "scaledobjects"),
}


def autoscalers(cluster: Cluster) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """({kind: {name: object}}, the kinds that this account may not read). A kind that is not served has no objects."""
    found: dict[str, dict[str, Any]] = {}
    hidden = []
    for name, kind in _KINDS.items():
        try:
            items = cluster.request("GET", path(kind, cluster.namespace)).get("items") or ()
        except ApiError as err:
            if err.code not in (403, 404):
                raise
            hidden += [name] if err.code == 403 else []
        else:
            found[name] = {kube.name(o): o for o in items}
    return found, hidden
