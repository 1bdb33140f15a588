"""Everything of ours in the namespace, fetched at once: what a planner may know of the cluster."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sdsk8s.backends.kubernetes.api import ApiError, Cluster
from sdsk8s.model.names import PART_OF

KINDS = (
    "Deployment", "StatefulSet", "Job", "CronJob", "Service", "ConfigMap", "Secret", "ServiceAccount",
    "PersistentVolumeClaim", "PodDisruptionBudget", "NetworkPolicy", "Ingress", "Pod",
)  # fmt: skip


def snapshot(cluster: Cluster, kinds: tuple[str, ...] = KINDS) -> dict[str, dict[str, Any]]:
    """{kind: {name: object}} of what carries our label, and the namespace itself under "Namespace".

    A missing namespace is an empty snapshot. Values of Secrets are dropped at once.
    """
    with ThreadPoolExecutor(max_workers=8) as pool:
        space = pool.submit(cluster.get, "Namespace", cluster.namespace)
        futures = {kind: pool.submit(cluster.list, kind, f"{PART_OF}=sds") for kind in kinds}
        out: dict[str, dict[str, Any]] = {
            kind: {o["metadata"]["name"]: _clean(o) for o in future.result()} for kind, future in futures.items()
        }
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
    if obj["kind"] == "Secret":
        obj.pop("data", None)
    return obj
