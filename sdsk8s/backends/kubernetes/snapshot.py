"""Everything of ours in the namespace, fetched at once: what a planner may know of the cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.model import kube
from sdsk8s.model.names import PART_OF

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

KINDS = (
    "Deployment", "StatefulSet", "Job", "CronJob", "Service", "ConfigMap", "Secret", "ServiceAccount",
    "PersistentVolumeClaim", "PodDisruptionBudget", "NetworkPolicy", "Ingress", "Pod",
)  # fmt: skip
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where plain `kubectl apply` keeps a copy of the whole object: of a Secret with its values."""


def snapshot(cluster: Cluster, kinds: tuple[str, ...] = KINDS) -> dict[str, dict[str, Any]]:
    """{kind: {name: object}} of what carries our label, and the namespace itself under "Namespace".

    A missing namespace is an empty snapshot. Of Secrets there is metadata only.
    """

    def fetch(kind: str) -> dict[str, Any]:
        read = cluster.list_metadata if kind == "Secret" else cluster.list
        return {kube.name(o): _clean(o) for o in read(kind, f"{PART_OF}=sds")}

    with ThreadPoolExecutor(max_workers=8) as pool:
        space = pool.submit(cluster.get, "Namespace", cluster.namespace)
        futures = {kind: pool.submit(fetch, kind) for kind in kinds}
        out = {kind: future.result() for kind, future in futures.items()}
    try:
        found = space.result()
        known = found is not None
    except ApiError as err:
        if err.code != 403:
            raise
        # An account limited to its namespace cannot read the Namespace object; it is there, or lists had failed.
        found, known = {"metadata": {"name": cluster.namespace}}, True
    if known and found is not None:
        out["Namespace"] = {cluster.namespace: found}
    return out


def _clean(obj: dict[str, Any]) -> dict[str, Any]:
    obj["metadata"].pop("managedFields", None)
    kube.annotations(obj).pop(_LAST_APPLIED, None)
    if obj["kind"] == "Secret":  # an old server may ignore that metadata was asked for
        obj = {k: v for k, v in obj.items() if k not in ("data", "stringData")}
    return obj
