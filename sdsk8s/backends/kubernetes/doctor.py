"""What `doctor` asks a cluster, each question by itself: one that fails hides no other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

from sdsk8s.backends.kubernetes.access import NEEDS, Rule, account, review, role_yaml
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError
from sdsk8s.model import kube
from sdsk8s.model.finding import BROKEN, WARNING, Finding, level
from sdsk8s.model.names import MANAGED_BY, PART_OF

OLDEST = 29
"""Minor version of the oldest Kubernetes that is known to do: before it no exec over WebSockets."""
PROBE_NAME = "kubernetes.default.svc"
_PROBE_SECONDS = 60.0


def doctor_checks(cluster: Cluster, probe_image: str = "") -> Iterator[Finding]:
    """Checks of the cluster and the account.

    probe_image: with it a pod of that image (it needs `getent`) is run for a moment to ask the cluster's DNS, where
    no pod of ours runs that could be asked.
    """
    yield _guard("API server", cluster, _version)
    yield _guard("nodes", cluster, _nodes)
    yield _guard("cluster DNS", cluster, partial(_dns, probe_image=probe_image))
    yield _guard("storage class", cluster, _storage)
    yield _guard("ingress class", cluster, _ingress)
    yield _guard("Pod Security level", cluster, _pod_security)

    @cache
    def missing() -> set[Rule]:
        return set(review(cluster, list(dict.fromkeys(rule for rules in NEEDS.values() for rule in rules))))

    who = cache(partial(account, cluster))
    for verb in NEEDS:
        yield _guard(f"may {verb}", cluster, partial(_permissions, verb=verb, missing=missing, who=who))


def _guard(name: str, cluster: Cluster, check: Callable[[Cluster], tuple[bool | None, str, str]]) -> Finding:
    try:
        ok, found, cure = check(cluster)
        return Finding(level(ok), name, found, cure=cure)
    except ApiError as err:
        if err.code == 403:
            return Finding(
                WARNING, name, "this account may not read it", cure="use an account that may", says=err.words
            )
        return Finding(BROKEN, name, err.what, cure=err.next, says=err.words)
    except ClusterError as err:
        return Finding(BROKEN, name, err.what, cure=err.next, says=err.words)


def _version(cluster: Cluster) -> tuple[bool | None, str, str]:
    version = cluster.version()
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        return None, f'{cluster.host} reports the version "{version}"', "Kubernetes 1.29 or later is needed"
    ok = (int(found[1]), int(found[2])) >= (1, OLDEST)
    return ok, f"{version} at {cluster.host}", "" if ok else f"Kubernetes 1.{OLDEST} or later is needed"


def _nodes(cluster: Cluster) -> tuple[bool | None, str, str]:
    nodes = cluster.list("Node")
    ready, bad, notes = 0, [], []
    for n in nodes:
        state = {c["type"]: c["status"] for c in kube.conditions(n)}
        name = kube.name(n)
        if state.get("Ready") != "True":
            bad.append((name, f"{name} is not ready"))
            continue
        pressed = [t for t in ("MemoryPressure", "DiskPressure", "PIDPressure") if state.get(t) == "True"]
        bad += [(name, f"{name} has {t}") for t in pressed]
        if n.get("spec", {}).get("unschedulable"):
            notes.append((name, f"{name} is cordoned"))
        elif not pressed:
            ready += 1
    if not nodes:
        return False, "the cluster has no node", "add a node"
    text = "; ".join([f"{ready} of {len(nodes)} ready", *(t for _, t in [*bad, *notes])])
    cures = [f"kubectl describe node {name}" for name in dict.fromkeys(name for name, _ in bad)]
    cures += [f"kubectl uncordon {name}" for name, _ in notes]
    return (False if bad or not ready else None if notes else True), text, "\n".join(cures)


def _dns(cluster: Cluster, probe_image: str = "") -> tuple[bool | None, str, str]:
    """A running pod of ours that resolves a Service name proves it; else the usual DNS Service is looked for."""
    cure = "look at the cluster's DNS and its logs: kubectl -n kube-system get pods -l k8s-app=kube-dns"
    for pod in cluster.list("Pod", f"{PART_OF}=sds"):
        for c in kube.container_statuses(pod):
            if not kube.runs(c) or kube.deleted(pod):
                continue
            name = kube.name(pod)
            try:
                code = exec_(cluster, name, c["name"], ["getent", "hosts", PROBE_NAME], timeout=15).code
            except ClusterError:  # no getent there, or the pod is just going
                continue
            if code in (0, 2):  # 2: not found
                answer = "resolves" if code == 0 else "does not resolve"
                return code == 0, f"{PROBE_NAME} {answer} in pod {name}", cure if code else ""
    if probe_image:
        return _dns_by_probe(cluster, probe_image, cure)
    system = cluster.within("kube-system")
    if system.get("Service", "kube-dns") is None:
        return (
            None,
            "no pod of this site runs yet to test from, and the Service kube-dns does not exist",
            "start a component, then run doctor again",
        )
    slices = system.list("EndpointSlice", "kubernetes.io/service-name=kube-dns")
    ready = [e for s in slices for e in s.get("endpoints") or () if e.get("conditions", {}).get("ready")]
    return bool(ready), f"Service kube-dns has {len(ready)} ready endpoints", "" if ready else cure


def _dns_by_probe(cluster: Cluster, image: str, cure: str) -> tuple[bool | None, str, str]:
    name = f"sdsk8s-doctor-{int(time.time())}"
    main = {
        "name": "main", "image": image, "command": ["getent", "hosts", PROBE_NAME],
        "securityContext": {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        },
    }  # fmt: skip
    safe = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never", "activeDeadlineSeconds": int(_PROBE_SECONDS), "containers": [main],
        "automountServiceAccountToken": False, "securityContext": safe,
    }  # fmt: skip
    meta = {"name": name, "labels": {MANAGED_BY: "sdsk8s"}}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    try:
        deadline = time.monotonic() + _PROBE_SECONDS
        pod: dict[str, Any] = {}
        while time.monotonic() < deadline and not kube.finished(pod):
            time.sleep(0.5)
            pod = cluster.get("Pod", name) or {}
        phase = kube.phase(pod)
    finally:
        cluster.delete("Pod", name)
    ended = [kube.state(c)["terminated"] for c in kube.container_statuses(pod) if "terminated" in kube.state(c)]
    if phase == "Succeeded" or any(t.get("exitCode") == 2 for t in ended):
        answer = "resolves" if phase == "Succeeded" else "does not resolve"
        return (
            phase == "Succeeded",
            f"{PROBE_NAME} {answer} in a temporary pod",
            "" if phase == "Succeeded" else cure,
        )
    return None, f"the test pod is {phase} after {_PROBE_SECONDS:.0f} s", f"check the image {image}"


def _storage(cluster: Cluster) -> tuple[bool | None, str, str]:
    key = "storageclass.kubernetes.io/is-default-class"
    classes = cluster.list("StorageClass")
    default = [kube.name(c) for c in classes if kube.annotation(c, key) == "true"]
    names = ", ".join(kube.name(c) for c in classes) or "none"
    if default:
        return True, f"default {default[0]} (of {names})", ""
    return False, f"no default class (available: {names})", f'kubectl annotate storageclass NAME {key}="true"'


def _ingress(cluster: Cluster) -> tuple[bool | None, str, str]:
    names = [kube.name(c) for c in cluster.list("IngressClass")]
    if names:
        return True, ", ".join(names), ""
    return None, "none: APIs are reached by load balancer or node port", "install an ingress controller if you want one"


def _pod_security(cluster: Cluster) -> tuple[bool | None, str, str]:
    space = cluster.get("Namespace", cluster.namespace)
    if space is None:
        return None, f"the namespace {cluster.namespace} does not exist yet", "the first start creates it"
    key = "pod-security.kubernetes.io/enforce"
    level = kube.label(space, key)
    if level == "restricted":
        return True, "restricted is enforced", ""
    return None, f"{level or 'nothing'} is enforced", f"kubectl label namespace {cluster.namespace} {key}=restricted"


def _permissions(
    cluster: Cluster, verb: str, missing: Callable[[], set[Rule]], who: Callable[[], str]
) -> tuple[bool | None, str, str]:
    lacking = [rule for rule in NEEDS[verb] if rule in missing()]
    if not lacking:
        return True, "no permission is missing", ""
    by_resource: dict[str, list[str]] = {}
    for action, _, resource in lacking:
        by_resource.setdefault(resource, []).append(action)
    text = "; ".join(f"{resource}: {' '.join(actions)}" for resource, actions in by_resource.items())
    return False, f"{who() or 'this account'} lacks {text}", role_yaml(cluster.namespace, verb, who())
