"""Registry credentials of a namespace: one Secret, named by the service accounts whose pods are to use it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError
from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import MANAGED_BY, PART_OF, WORKLOADS

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

SECRET = "sdsk8s-registry"
_KEY = ".dockerconfigjson"
_REFUSED = re.compile(
    r"\b40[13]\b|unauthorized|no basic auth|authorization failed|pull access denied|authentication required",
    re.I,
)
_STUCK = ("ErrImagePull", "ImagePullBackOff")


def write(cluster: Cluster, host: str, user: str, password: str) -> None:
    """Put the credentials of a registry into the namespace's Secret; those of other registries stay."""
    auths = _auths(cluster)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    auths[host] = {"username": user, "password": password, "auth": token}
    _store(cluster, auths)


def forget(cluster: Cluster, host: str) -> bool:
    """Take a registry's credentials out; False when there were none. The Secret is deleted with the last one."""
    auths = _auths(cluster)
    if auths.pop(host, None) is None:
        return False
    if auths:
        _store(cluster, auths)
    else:
        cluster.delete("Secret", SECRET)
    return True


def hosts(cluster: Cluster) -> dict[str, str]:
    """{registry: user} of the namespace's Secret."""
    return {host: str(entry.get("username", "")) for host, entry in _auths(cluster).items()}


def attach(cluster: Cluster, patience: float = 20.0) -> list[str]:
    """Name the Secret in every service account that pods of ours run as; the names that were changed."""
    changed = []
    for name in _accounts(cluster):
        account = _account(cluster, name, patience)
        known = [s.get("name") for s in account.get("imagePullSecrets") or ()]
        if SECRET not in known:
            cluster.patch("ServiceAccount", name, {"imagePullSecrets": [{"name": SECRET}]}, type="strategic")
            changed.append(name)
    return changed


def renew_stuck_pods(cluster: Cluster, host: str) -> list[str]:
    """Delete pods of ours that could not fetch an image of this registry: pods get the Secret when they are made,
    and their controllers make them again. Pods without a controller are left alone. The names.
    """
    names = []
    for pod in cluster.list("Pod", f"{PART_OF}=sds"):
        if stuck_images(pod, host) and kube.has_owner(pod):
            cluster.delete("Pod", kube.name(pod))
            names.append(kube.name(pod))
    return names


def stuck_images(pod: Object, host: str = "") -> list[str]:
    """Images of a registry (any, without a host) that a pod waits for because they cannot be pulled."""
    found = []
    for c in kube.every_status(pod):
        waiting = c.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in _STUCK and str(c.get("image", "")).startswith(f"{host}/" if host else ""):
            found.append(str(c.get("image", "")))
    return found


def explain(cluster: Cluster, pod: Object, words: Iterable[str]) -> tuple[str, str]:
    """(sentence, command to try) for a pod whose image's registry wants other credentials; ("", "") otherwise."""
    images = stuck_images(pod)
    if not images or not any(_REFUSED.search(text) for text in words):
        return "", ""
    host = images[0].partition("/")[0]
    namespace = kube.namespace(pod)
    cure = f"sdsk8s registry login {host} --namespace {namespace}"
    names = [str(s.get("name")) for s in pod.get("spec", {}).get("imagePullSecrets") or ()]
    there = [name for name in names if _exists(cluster, name)]
    if there:
        what = f"the pull secret {', '.join(there)} in namespace {namespace} does not give access to {host}"
        return f"{what}, or not this repository", cure
    lost = f" ({', '.join(names)} is named but does not exist)" if names else ""
    return f"no pull secret in namespace {namespace}{lost}: {host} requires credentials", cure


def _exists(cluster: Cluster, name: str) -> bool:
    try:
        return cluster.get("Secret", name) is not None
    except ClusterError:  # this account may not read it
        return True


def _accounts(cluster: Cluster) -> list[str]:
    names = {"default"}
    for kind in WORKLOADS:
        for obj in cluster.list(kind, f"{PART_OF}=sds"):
            names.add(str(obj["spec"]["template"]["spec"].get("serviceAccountName") or "default"))
    return sorted(names)


def _account(cluster: Cluster, name: str, patience: float) -> Object:
    """The service account; in a new namespace it appears a moment later."""
    end = time.monotonic() + patience
    while True:
        found = cluster.get("ServiceAccount", name)
        if found is not None:
            return found
        if time.monotonic() > end:
            raise ClusterError(
                f"the namespace has no service account {name}",
                target=cluster.namespace,
                next="kubectl get serviceaccounts",
            )
        time.sleep(0.3)


def _auths(cluster: Cluster) -> dict[str, Any]:
    secret = cluster.get("Secret", SECRET)
    text = ((secret or {}).get("data") or {}).get(_KEY, "")
    try:
        return dict(json.loads(base64.b64decode(text)).get("auths") or {}) if text else {}
    except (ValueError, AttributeError):
        raise ClusterError(
            f"the Secret {SECRET} cannot be read as registry credentials", target=cluster.namespace,
            next=f"kubectl -n {cluster.namespace} delete secret {SECRET}, then log in again",
        ) from None  # fmt: skip


def _store(cluster: Cluster, auths: dict[str, Any]) -> None:
    text = base64.b64encode(json.dumps({"auths": auths}, sort_keys=True).encode()).decode()
    meta = {"name": SECRET, "namespace": cluster.namespace, "labels": {MANAGED_BY: "sdsk8s", PART_OF: "sds"}}
    body = {
        "apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/dockerconfigjson",
        "data": {_KEY: text},
    }  # fmt: skip
    try:
        cluster.apply(body, force=True)
    except ApiError as err:
        if err.code == 422:  # the type of a Secret cannot be changed
            raise ClusterError(
                f"there is another Secret called {SECRET}", target=cluster.namespace, words=err.words,
                next=f"kubectl -n {cluster.namespace} delete secret {SECRET}, then log in again",
            ) from None  # fmt: skip
        raise
