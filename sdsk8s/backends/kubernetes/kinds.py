"""Where each kind lives in the API: a table, so that no discovery request is needed."""

from __future__ import annotations

from dataclasses import dataclass

from sdsk8s.errors import ClusterError
from sdsk8s.model.names import unknown


@dataclass(frozen=True)
class Kind:
    api_version: str
    plural: str
    namespaced: bool = True


KINDS: dict[str, Kind] = {
    "Namespace": Kind("v1", "namespaces", False),
    "Node": Kind("v1", "nodes", False),
    "PersistentVolume": Kind("v1", "persistentvolumes", False),
    "ConfigMap": Kind("v1", "configmaps"),
    "Secret": Kind("v1", "secrets"),
    "Service": Kind("v1", "services"),
    "ServiceAccount": Kind("v1", "serviceaccounts"),
    "PersistentVolumeClaim": Kind("v1", "persistentvolumeclaims"),
    "Pod": Kind("v1", "pods"),
    "Event": Kind("v1", "events"),
    "Endpoints": Kind("v1", "endpoints"),
    "Deployment": Kind("apps/v1", "deployments"),
    "StatefulSet": Kind("apps/v1", "statefulsets"),
    "DaemonSet": Kind("apps/v1", "daemonsets"),
    "ReplicaSet": Kind("apps/v1", "replicasets"),
    "ControllerRevision": Kind("apps/v1", "controllerrevisions"),
    "Job": Kind("batch/v1", "jobs"),
    "CronJob": Kind("batch/v1", "cronjobs"),
    "PodDisruptionBudget": Kind("policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": Kind("networking.k8s.io/v1", "networkpolicies"),
    "Ingress": Kind("networking.k8s.io/v1", "ingresses"),
    "IngressClass": Kind("networking.k8s.io/v1", "ingressclasses", False),
    "StorageClass": Kind("storage.k8s.io/v1", "storageclasses", False),
    "Lease": Kind("coordination.k8s.io/v1", "leases"),
    "EndpointSlice": Kind("discovery.k8s.io/v1", "endpointslices"),
}


def path(kind: str, namespace: str, name: str = "", subresource: str = "") -> str:
    """URL path of a collection, an object or a subresource. ClusterError for a kind that is not in the table."""
    if kind not in KINDS:
        raise ClusterError(f"objects of kind {kind} are not supported", words=unknown(kind, KINDS))
    k = KINDS[kind]
    root = "/api/v1" if k.api_version == "v1" else f"/apis/{k.api_version}"
    parts = [root]
    if k.namespaced:
        parts.append(f"namespaces/{namespace}")
    parts += [p for p in (k.plural, name, subresource) if p]
    return "/".join(parts)
