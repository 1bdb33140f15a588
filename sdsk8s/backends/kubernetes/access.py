"""What each verb asks of the API server, and what of it the current account may do."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.kinds import KINDS
from sdsk8s.backends.kubernetes.snapshot import KINDS as SNAPSHOT
from sdsk8s.errors import ClusterError

Rule = tuple[str, str, str]
"""(verb, group, resource or resource/subresource)"""


def _rules(verbs: str, *kinds: str) -> list[Rule]:
    """Every verb on every kind; a kind may name a subresource, as Pod/exec."""
    out = []
    for name in kinds:
        kind, _, sub = name.partition("/")
        where = KINDS[kind]
        out += [(verb, where.group, where.plural + (f"/{sub}" if sub else "")) for verb in verbs.split()]
    return out


_WATCHED = ("Deployment", "StatefulSet", "ReplicaSet", "Pod", "Job", "Event")
_SNAPSHOT = _rules("list", *SNAPSHOT)
_WAIT = [*_rules("get", "Deployment", "StatefulSet"), *_rules("list watch", *_WATCHED), *_rules("get", "Pod/log")]
_LOCK = _rules("get create update", "Lease")
_EXEC = _rules("create get", "Pod/exec")
_APPLY = _rules(
    "create patch", "ConfigMap", "Secret", "Service", "Deployment", "StatefulSet", "Job", "PodDisruptionBudget"
)


def _together(*parts: list[Rule]) -> list[Rule]:
    return list(dict.fromkeys(rule for part in parts for rule in part))


NEEDS: dict[str, list[Rule]] = {
    "status": _together(_rules("list", "Deployment", "StatefulSet", "Pod", "Service"), _EXEC),
    "logs": _together(_rules("list", "Deployment", "StatefulSet", "Pod"), _rules("get", "Pod", "Pod/log")),
    "start": _together(_SNAPSHOT, _WAIT, _LOCK, _APPLY),
    "stop": _together(_SNAPSHOT, _WAIT, _LOCK, _rules("patch", "Deployment", "StatefulSet")),
    "reset": _together(_SNAPSHOT, _WAIT, _LOCK, _APPLY, _EXEC),
    "update": _together(_SNAPSHOT, _WAIT, _LOCK, _APPLY, _rules("delete", "Job")),
}
"""What each verb asks of the API server in the site's namespace. (Nodes and the Namespace itself are looked at where
that is allowed, and done without where it is not.)"""


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
        answers = list(pool.map(allowed, rules))
    return [rule for rule, ok in zip(rules, answers, strict=True) if not ok]


def account(cluster: Cluster) -> str:
    """The name that the API server knows us by; empty where it does not say."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=body)
    except ClusterError:
        return ""
    return str(((answer.get("status") or {}).get("userInfo") or {}).get("username", ""))


def role(namespace: str, verb: str) -> dict[str, Any]:
    """A Role with all that a verb needs. Complete, so that applying it never removes an earlier permission."""
    resources: dict[tuple[str, str], list[str]] = {}
    for action, group, resource in NEEDS[verb]:
        resources.setdefault((group, resource), []).append(action)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), actions in resources.items():
        alike.setdefault((group, tuple(sorted(actions))), []).append(resource)
    rules = [
        {"apiGroups": [group], "resources": sorted(names), "verbs": list(actions)}
        for (group, actions), names in sorted(alike.items())
    ]
    meta = {"name": f"sds-{verb}", "namespace": namespace}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules}


def role_yaml(namespace: str, verb: str, who: str) -> str:
    """The Role and the command that binds it, for an account that may run them."""
    obj = role(namespace, verb)
    lines = [
        f"apiVersion: {obj['apiVersion']}",
        "kind: Role",
        f"metadata: {{name: sds-{verb}, namespace: {namespace}}}",
        "rules:",
        *("- {" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in rule.items()) + "}" for rule in obj["rules"]),
    ]
    if who.startswith("system:serviceaccount:"):
        subject = "--serviceaccount=" + who.removeprefix("system:serviceaccount:")
    else:
        subject = f"--user={who or 'NAME'}"
    return "\n".join([*lines, f"# kubectl -n {namespace} create rolebinding sds-{verb} --role=sds-{verb} {subject}"])
