"""Rules about a set of objects: what they say about each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sdsk8s.lint.finding import fault, waived
from sdsk8s.lint.references import unresolved
from sdsk8s.lint.workloads import workload_rules
from sdsk8s.model import kube
from sdsk8s.model.finding import Finding
from sdsk8s.model.kube import Object
from sdsk8s.model.names import secret_word
from sdsk8s.model.secrets import secrets_in

CLUSTER_WIDE = {"Namespace", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "IngressClass"}


def findings(objects: Iterable[Object], more: Iterable[Object] = ()) -> list[Finding]:
    """Every finding of our own rules over one set, waivers taken into account, sorted by rule and target.

    more: ConfigMaps and Secrets beside the set that its pods may read.
    """
    every = [o for o in objects if o.get("kind")]
    by_name = {kube.title(o): o for o in every}
    found = [f for o in every for f in workload_rules(o)]
    for rule in (_mounts, _namespaces, _secrets, _selectors):
        found += rule(every)
    found += [fault("reference", m.target, m.words) for m in unresolved(every, more)]
    kept = [f for f in found if not waived(by_name.get(f.subject.partition(",")[0], {}), f.key)]
    return sorted(set(kept), key=lambda f: (f.key, f.subject, f.words))


def _mounts(objects: list[Object]) -> Iterator[Finding]:
    """One claim at different paths in related workloads: one of the paths is probably wrong."""
    places: dict[tuple[str, str], dict[str, str]] = {}
    for obj in objects:
        spec = kube.pod_spec(obj)
        claims = {
            v["name"]: v["persistentVolumeClaim"]["claimName"]
            for v in spec.get("volumes") or ()
            if v.get("persistentVolumeClaim")
        }
        for c in kube.containers(obj):
            for m in c.get("volumeMounts") or ():
                if m.get("name") in claims:
                    part = str(m.get("subPath") or "")
                    key = (str(claims[m["name"]]), part)
                    places.setdefault(key, {}).setdefault(str(m.get("mountPath")), kube.title(obj))
    for (claim, part), found in sorted(places.items()):
        if len(found) > 1:
            text = ", ".join(f"{path} in {who}" for path, who in sorted(found.items()))
            what = claim + (f" ({part})" if part else "")
            yield fault("mounts", sorted(found.items())[-1][1], f"the claim {what} is mounted at {text}")


def _namespaces(objects: list[Object]) -> Iterator[Finding]:
    named: dict[str, list[str]] = {}
    for obj in objects:
        if obj.get("kind") not in CLUSTER_WIDE:
            named.setdefault(kube.namespace(obj), []).append(kube.title(obj))
    if len(named) > 1:
        # the rarest one is the odd one out
        odd = min(named, key=lambda n: (len(named[n]), n))
        said = [f"{len(who)} in {namespace or 'none'}" for namespace, who in sorted(named.items())]
        for target in named[odd]:
            yield fault("namespaces", target, f"objects are in different namespaces: {', '.join(said)}")


def _secrets(objects: list[Object]) -> Iterator[Finding]:
    for obj in objects:
        if obj.get("kind") != "ConfigMap":
            continue
        for key, value in sorted((obj.get("data") or {}).items()):
            word = secret_word(key)
            if word and str(value).strip():
                yield fault("secret-in-configmap", kube.title(obj), f"the key {key} looks like a secret: use a Secret")
                continue
            for line, what in secrets_in(str(value)):
                yield fault("secret-in-configmap", kube.title(obj), f"{key}, line {line}: {what}; use a Secret")


def _selectors(objects: list[Object]) -> Iterator[Finding]:
    """Services and disruption budgets that match no pod, and ports that no container has."""
    templates = [t for o in objects if (t := kube.pod_template(o))]
    if not templates:
        return
    for obj in objects:
        spec = obj.get("spec") or {}
        if obj.get("kind") == "Service" and spec.get("selector"):
            matching = [t for t in templates if _matches(t, spec["selector"])]
            if not matching:
                yield fault("selector", kube.title(obj), f"no pod has the labels {_text(spec['selector'])}")
                continue
            names = {p.get("name") for t in matching for c in kube.main_containers(t) for p in c.get("ports") or ()}
            for port in spec.get("ports") or ():
                target = port.get("targetPort")
                if isinstance(target, str) and target not in names:
                    yield fault("selector", kube.title(obj), f'no container has a port called "{target}"')
        elif obj.get("kind") == "PodDisruptionBudget":
            labels = kube.selector(obj)
            if labels and not any(_matches(t, labels) for t in templates):
                yield fault("selector", kube.title(obj), f"no pod has the labels {_text(labels)}")
        elif obj.get("kind") in ("Deployment", "StatefulSet", "DaemonSet"):
            labels = kube.selector(obj)
            if not _matches(kube.pod_template(obj), labels):
                yield fault("selector", kube.title(obj), f"its own pods lack the labels {_text(labels)}")


def _matches(template: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    return all(kube.labels(template).get(k) == v for k, v in labels.items())


def _text(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v}" for k, v in sorted(labels.items()))
