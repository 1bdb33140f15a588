"""Where each kind lives in the API: a table, so that usual kinds need no discovery request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    api_version: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """`apps` of apps/v1; empty for the core group."""
        return self.api_version.rpartition("/")[0]


def _table(api_version: str, **plurals: str) -> dict[str, Kind]:
    return {kind: Kind(api_version, plural) for kind, plural in plurals.items()}


def _cluster_wide(api_version: str, **plurals: str) -> dict[str, Kind]:
    return {kind: Kind(api_version, plural, False) for kind, plural in plurals.items()}


KINDS: dict[str, Kind] = {
    **_table(
        "v1", ConfigMap="configmaps", Secret="secrets", Service="services", ServiceAccount="serviceaccounts",
        PersistentVolumeClaim="persistentvolumeclaims", Pod="pods", Event="events", Endpoints="endpoints",
        ResourceQuota="resourcequotas", LimitRange="limitranges",
    ),
    **_cluster_wide("v1", Namespace="namespaces", Node="nodes", PersistentVolume="persistentvolumes"),
    **_table(
        "apps/v1", Deployment="deployments", StatefulSet="statefulsets", DaemonSet="daemonsets",
        ReplicaSet="replicasets", ControllerRevision="controllerrevisions",
    ),
    **_table("batch/v1", Job="jobs", CronJob="cronjobs"),
    **_table("policy/v1", PodDisruptionBudget="poddisruptionbudgets"),
    **_table("autoscaling/v2", HorizontalPodAutoscaler="horizontalpodautoscalers"),
    **_table("networking.k8s.io/v1", NetworkPolicy="networkpolicies", Ingress="ingresses"),
    **_cluster_wide("networking.k8s.io/v1", IngressClass="ingressclasses"),
    **_cluster_wide("storage.k8s.io/v1", StorageClass="storageclasses"),
    **_table("coordination.k8s.io/v1", Lease="leases"),
    **_table("discovery.k8s.io/v1", EndpointSlice="endpointslices"),
    **_table("rbac.authorization.k8s.io/v1", Role="roles", RoleBinding="rolebindings"),
}  # fmt: skip


def root(api_version: str) -> str:
    """URL path of an API version."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def path(kind: Kind, namespace: str, name: str = "", subresource: str = "") -> str:
    """URL path of a collection, an object or a subresource. namespace "": the collection of all namespaces."""
    space = f"namespaces/{namespace}" if kind.namespaced and namespace else ""
    return "/".join(p for p in (root(kind.api_version), space, kind.plural, name, subresource) if p)


def discovered(api_version: str, resources: Iterable[Mapping[str, Any]]) -> dict[str, Kind]:
    """Kinds of an APIResourceList, subresources left out."""
    return {
        str(r["kind"]): Kind(api_version, str(r["name"]), bool(r.get("namespaced")))
        for r in resources
        if "/" not in str(r.get("name", "/"))
    }
