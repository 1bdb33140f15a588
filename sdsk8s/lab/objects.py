"""Objects that a fresh cluster of the lab gets: the default StorageClass and the rights of the lab's own parts."""

from __future__ import annotations

from typing import Any

STORAGE_CLASS = "lab"


def bootstrap() -> list[tuple[str, dict[str, Any]]]:
    """(path in the API, object)."""
    coredns_rules = [
        rule([""], ["endpoints", "services", "pods", "namespaces"], ["list", "watch"]),
        rule(["discovery.k8s.io"], ["endpointslices"], ["list", "watch"]),
    ]
    volumes_rules = [
        rule([""], ["persistentvolumes"], ["get", "list", "watch", "create", "patch"]),
        rule(["storage.k8s.io"], ["storageclasses"], ["get"]),
    ]
    found = [storage_class()]
    for part, rules in (("coredns", coredns_rules), ("volumes", volumes_rules)):
        found += rights(part, rules)
    return found


def storage_class() -> tuple[str, dict[str, Any]]:
    """`reclaimPolicy: Delete` is carried out by the lab's `volumes` part."""
    path = f"/apis/storage.k8s.io/v1/storageclasses/{STORAGE_CLASS}"
    return path, {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
    }


def rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def rights(part: str, rules: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """A ClusterRole and its binding for the user `sdsk8s-lab:<part>`."""
    group, name = "rbac.authorization.k8s.io", f"sdsk8s-lab:{part}"
    base = f"/apis/{group}/v1"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
    }
    return [(f"{base}/clusterroles/{name}", role), (f"{base}/clusterrolebindings/{name}", binding)]


def volume(number: int, folder: str) -> dict[str, Any]:
    """A local volume. It is on no particular node: all nodes share the disk, as they would a network storage."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"lab-{number:03d}"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            # Nobody but the lab's `volumes` part can delete these; see StorageClass.reclaimPolicy.
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": folder},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
                    ]
                }
            },
        },
    }
