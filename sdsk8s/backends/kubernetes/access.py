"""What the current account may do, and what `doctor` asks a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError

Rule = tuple[str, str, str]
"""(verb, group, resource or resource/subresource)"""

_READ = [
    (v, g, r)
    for g, names in {
        "": ("pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "events"),
        "apps": ("deployments", "statefulsets", "replicasets"),
        "batch": ("jobs",),
        "policy": ("poddisruptionbudgets",),
    }.items()
    for r in names
    for v in ("list", "watch")
    if not (
        r in ("secrets", "services", "configmaps", "persistentvolumeclaims", "events", "poddisruptionbudgets")
        and v == "watch"
    )
]
_LOCK = [(v, "coordination.k8s.io", "leases") for v in ("get", "create", "update")]
_SCALE = [("patch", "apps", r) for r in ("deployments", "statefulsets")]
_EXEC = [("create", "", "pods/exec"), ("get", "", "pods/exec")]
_LOGS = [("get", "", "pods/log")]
_APPLY = [
    (v, g, r)
    for v in ("create", "patch")
    for g, r in (
        ("", "configmaps"), ("", "secrets"), ("", "services"), ("apps", "deployments"), ("apps", "statefulsets"),
        ("batch", "jobs"), ("policy", "poddisruptionbudgets"),
    )
]  # fmt: skip

NEEDS: dict[str, list[Rule]] = {
    "status": [*_READ, *_EXEC],
    "logs": [("list", "", "pods"), *_LOGS],
    "start": [*_READ, *_LOCK, *_APPLY, *_LOGS],
    "stop": [*_READ, *_LOCK, *_SCALE],
    "reset": [*_READ, *_LOCK, *_APPLY, *_EXEC, *_LOGS],
    "update": [*_READ, *_LOCK, *_APPLY, ("delete", "batch", "jobs"), *_LOGS],
}
"""What each verb asks of the API server."""


@dataclass(frozen=True)
class Check:
    """One line of `doctor`. ok None is a warning: worth knowing, nothing is broken."""

    name: str
    ok: bool | None
    found: str
    words: str = ""
    cure: str = ""


def review(cluster: Cluster, rules: list[Rule]) -> list[Rule]:
    """The rules that the current account lacks in the namespace (SelfSubjectAccessReview)."""

    def allowed(rule: Rule) -> bool:
        verb, group, resource = rule
        name, _, sub = resource.partition("/")
        attributes = {"verb": verb, "group": group, "resource": name, "namespace": cluster.namespace}
        attributes |= {"subresource": sub} if sub else {}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return bool(answer.get("status", {}).get("allowed"))

    with ThreadPoolExecutor(max_workers=8) as pool:
        return [rule for rule, ok in zip(rules, pool.map(allowed, rules), strict=True) if not ok]


def doctor_checks(cluster: Cluster) -> Iterator[Check]:
    """Checks of the cluster and the account, each by itself: one that fails hides no other."""
    yield _guard("API server", cluster, _version)
    yield _guard("nodes", cluster, _nodes)
    yield _guard("cluster DNS", cluster, _dns)
    yield _guard("storage class", cluster, _storage)
    yield _guard("ingress class", cluster, _ingress)
    yield _guard("Pod Security level", cluster, _pod_security)
    for verb in NEEDS:
        yield _guard(f"may {verb}", cluster, partial(_permissions, verb))


def _guard(name: str, cluster: Cluster, check: Callable[[Cluster], tuple[bool | None, str, str]]) -> Check:
    try:
        ok, found, cure = check(cluster)
        return Check(name, ok, found, "", cure)
    except ApiError as err:
        if err.code == 403:
            return Check(name, None, "this account may not look", err.words, "ask an account that may")
        return Check(name, False, err.what, err.words, err.next)
    except ClusterError as err:
        return Check(name, False, err.what, err.words, err.next)


def _version(cluster: Cluster) -> tuple[bool | None, str, str]:
    version = cluster.version()
    minor = int("".join(c for c in version.split(".")[1] if c.isdigit()))
    ok = version.startswith("v1.") and minor >= 29
    return ok, f"{version} at {cluster.host}", "" if ok else "Kubernetes 1.29 or later is needed"


def _nodes(cluster: Cluster) -> tuple[bool | None, str, str]:
    nodes = cluster.list("Node")
    bad = []
    for n in nodes:
        state = {c["type"]: c["status"] for c in n.get("status", {}).get("conditions") or ()}
        name = n["metadata"]["name"]
        if state.get("Ready") != "True":
            bad.append(f"{name} is not ready")
        bad += [f"{name} has {t}" for t in ("MemoryPressure", "DiskPressure", "PIDPressure") if state.get(t) == "True"]
        if n.get("spec", {}).get("unschedulable"):
            bad.append(f"{name} is cordoned")
    text = f"{len(nodes)} ready" if not bad else "; ".join(bad)
    return bool(nodes) and not bad, text, "kubectl describe node" if bad else ""


def _dns(cluster: Cluster) -> tuple[bool | None, str, str]:
    """A running pod of ours that resolves a Service name proves it; else the usual DNS Service is looked for."""
    from sdsk8s.backends.kubernetes.exec import exec_

    for pod in cluster.list("Pod", "app.kubernetes.io/part-of=sds"):
        states = pod.get("status", {}).get("containerStatuses") or ()
        for c in states:
            if "running" in c.get("state", {}):
                name = f"kubernetes.default.svc.{'cluster.local'}"
                got = exec_(cluster, pod["metadata"]["name"], c["name"], ["getent", "hosts", name], timeout=15)
                where = f"from pod {pod['metadata']['name']}"
                if got.code == 0:
                    return True, f"{name} resolves {where}", ""
                if got.code == 2:
                    return False, f"{name} does not resolve {where}", "look at the cluster's DNS (CoreDNS) and its logs"
    space = cluster.within("kube-system")
    service = space.get("Service", "kube-dns")
    if service is None:
        return (
            None,
            "no pod of ours runs yet to ask from, and there is no Service kube-dns",
            "start a component, then ask again",
        )
    slices = space.list("EndpointSlice", "kubernetes.io/service-name=kube-dns")
    ready = [e for s in slices for e in s.get("endpoints") or () if e.get("conditions", {}).get("ready")]
    cure = "" if ready else "kubectl -n kube-system get pods -l k8s-app=kube-dns"
    return bool(ready), f"Service kube-dns has {len(ready)} ready endpoints", cure


def _storage(cluster: Cluster) -> tuple[bool | None, str, str]:
    key = "storageclass.kubernetes.io/is-default-class"
    classes = cluster.list("StorageClass")
    default = [c["metadata"]["name"] for c in classes if (c["metadata"].get("annotations") or {}).get(key) == "true"]
    names = ", ".join(c["metadata"]["name"] for c in classes) or "none"
    if default:
        return True, f"default {default[0]} (of {names})", ""
    return False, f"no default class (there is: {names})", f'kubectl annotate storageclass NAME {key}="true"'


def _ingress(cluster: Cluster) -> tuple[bool | None, str, str]:
    names = [c["metadata"]["name"] for c in cluster.list("IngressClass")]
    if names:
        return True, ", ".join(names), ""
    return None, "none: APIs are reached by load balancer or node port", "install an ingress controller if you want one"


def _pod_security(cluster: Cluster) -> tuple[bool | None, str, str]:
    space = cluster.get("Namespace", cluster.namespace)
    if space is None:
        return None, f"the namespace {cluster.namespace} is not there yet; the first start makes it", ""
    key = "pod-security.kubernetes.io/enforce"
    level = (space["metadata"].get("labels") or {}).get(key)
    if level == "restricted":
        return True, "restricted is enforced", ""
    return None, f"{level or 'nothing'} is enforced", f"kubectl label namespace {cluster.namespace} {key}=restricted"


def _permissions(verb: str, cluster: Cluster) -> tuple[bool | None, str, str]:
    missing = review(cluster, NEEDS[verb])
    if not missing:
        return True, "every permission is there", ""
    return False, f"{len(missing)} permissions are missing", role_yaml(cluster.namespace, missing)


def role_yaml(namespace: str, rules: list[Rule]) -> str:
    """A Role with exactly these rules, ready to be applied by somebody who may."""
    by_resource: dict[tuple[str, str], list[str]] = {}
    for verb, group, resource in rules:
        by_resource.setdefault((group, resource), []).append(verb)
    lines = [
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        f"metadata: {{name: sds-operator, namespace: {namespace}}}",
        "rules:",
    ]
    for (group, resource), verbs in sorted(by_resource.items()):
        lines.append(f'- {{apiGroups: ["{group}"], resources: ["{resource}"], verbs: [{", ".join(sorted(verbs))}]}}')
    return "\n".join(lines)
