"""A component's Kubernetes objects as they are to be: manifests plus configuration, labels and hashes."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.names import APPLIED, COMPONENT, CONFIG_HASH, MANAGED_BY, PART_OF
from sdsk8s.model.queue import STOP_MARGIN, Queue, worker_queues
from sdsk8s.model.site import Site
from sdsk8s.render.bundles import with_bundle
from sdsk8s.render.config import Texts, config_objects
from sdsk8s.render.develop import writable_code
from sdsk8s.render.hashes import content_hash
from sdsk8s.render.images import pin

KIND_ORDER = (
    "Namespace", "ServiceAccount", "NetworkPolicy", "ConfigMap", "Secret", "PersistentVolumeClaim", "Service",
    "PodDisruptionBudget", "Job", "StatefulSet", "Deployment", "CronJob", "Ingress",
)  # fmt: skip
"""Apply order: what others mount or name comes first."""


def render(
    site: Site,
    catalogue: Catalogue,
    component: Component,
    texts: Texts,
    images: Mapping[str, str],
    bundles: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Every object of the component in apply order, ready for `kubectl apply`.

    images: {logical image name: reference}. bundles: {queue: reference of the bundle that its workers run}.
    Replicas are those of the manifests.
    """
    config = config_objects(site, catalogue, component, texts)
    objects = [copy.deepcopy(dict(m)) for m in component.manifests]
    if site.develop(component.name):
        objects = [writable_code(obj, component) for obj in objects]
    objects = pin(_per_queue(objects, component, site, bundles or {}), images)
    for obj in [*config, *objects]:
        _stamp(obj, component, site)
    read = [*config, *(o for o in objects if o["kind"] in ("ConfigMap", "Secret"))]
    hashes = {kube.key(o): content_hash(o) for o in read}
    for obj in objects:
        _mark_config(obj, hashes)
        if obj["kind"] == "Job":
            # A Job cannot be changed: another content is another Job, and the same content runs once.
            obj["metadata"]["name"] += "-" + content_hash(obj)[:8]
    rendered = sorted([*config, *objects], key=_rank)
    for obj in rendered:
        obj["metadata"].setdefault("annotations", {})[APPLIED] = content_hash(obj)
    return rendered


def namespace_object(site: Site) -> dict[str, Any]:
    """The site's namespace, with Pod Security `restricted` enforced."""
    obj: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": site.namespace,
            "labels": {
                PART_OF: "sds",
                MANAGED_BY: "sdsk8s",
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
        },
    }
    obj["metadata"]["annotations"] = {APPLIED: content_hash(obj)}
    return obj


def config_refs(template: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(kind, name) of every ConfigMap and Secret that a pod template reads, by volume or by environment."""
    found: set[tuple[str, str]] = set()
    for volume in kube.pod_spec(template).get("volumes", ()):
        sources = [volume, *volume.get("projected", {}).get("sources", ())]
        for source in sources:
            if "configMap" in source:
                found.add(("ConfigMap", source["configMap"]["name"]))
            if "secret" in source:
                found.add(("Secret", source["secret"].get("secretName") or source["secret"].get("name")))
    for c in kube.containers(template):
        for entry in c.get("envFrom", ()):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in entry:
                    found.add((kind, entry[field]["name"]))
        for entry in c.get("env", ()):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in entry.get("valueFrom", {}):
                    found.add((kind, entry["valueFrom"][field]["name"]))
    return found


def _mark_config(obj: dict[str, Any], hashes: Mapping[tuple[str, str], str]) -> None:
    template = kube.pod_template(obj)
    if not template:
        return
    used = {f"{k}/{n}": hashes[(k, n)] for k, n in config_refs(template) if (k, n) in hashes}
    if used:
        digest = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()[:16]
        template.setdefault("metadata", {}).setdefault("annotations", {})[CONFIG_HASH] = digest


def _stamp(obj: dict[str, Any], component: Component, site: Site) -> None:
    metas = [obj["metadata"]]
    obj["metadata"]["namespace"] = site.namespace
    template = kube.pod_template(obj)
    if template:
        metas.append(template.setdefault("metadata", {}))
    for meta in metas:
        labels = meta.setdefault("labels", {})
        labels |= {PART_OF: "sds", MANAGED_BY: "sdsk8s", COMPONENT: component.name}


def _per_queue(
    objects: list[dict[str, Any]], component: Component, site: Site, bundles: Mapping[str, str]
) -> list[dict[str, Any]]:
    if not component.per_queue:
        return objects
    queues = worker_queues(site.config)
    _refuse_same_names(component.per_queue, queues)
    out: list[dict[str, Any]] = []
    for obj in objects:
        if kube.name(obj) == component.per_queue:
            for queue in queues:
                worker = _for_queue(obj, queue)
                template = kube.pod_template(worker)
                if component.bundle and template and queue.name in bundles:
                    with_bundle(template, component.bundle, bundles[queue.name])
                out.append(worker)
        else:
            out.append(obj)
    return out


def queue_object_name(name: str, queue: str) -> str:
    """Name of the copy of an object that is made for one queue."""
    slug = re.sub(r"[^a-z0-9-]+", "-", queue.lower()).strip("-")
    return f"{name}-{slug}"[:63].rstrip("-")


def _refuse_same_names(name: str, queues: list[Queue]) -> None:
    seen: dict[str, str] = {}
    for queue in queues:
        made = queue_object_name(name, queue.name)
        if made in seen:
            raise ConfigError(
                f'the queues "{seen[made]}" and "{queue.name}" would both get the workload {made}',
                target="QUEUES",
                next="rename one of them",
            )
        seen[made] = queue.name


def _for_queue(obj: Mapping[str, Any], queue: Queue) -> dict[str, Any]:
    """A copy of a worker object for one queue: `app.kubernetes.io/name`, the grace period and the environment.

    SDS_QUEUE, SDS_PROCESSES (workers per pod) and SDS_STOP_SECONDS (what the programs get to end, inside the grace
    period) are for the pod's supervisord.
    """
    clone = copy.deepcopy(dict(obj))
    name = queue_object_name(kube.name(clone), queue.name)
    clone["metadata"]["name"] = name
    label = kube.NAME_LABEL
    clone["metadata"].setdefault("labels", {})[label] = name
    spec = clone.get("spec", {})
    if label in spec.get("selector", {}).get("matchLabels", {}):
        spec["selector"]["matchLabels"][label] = name
    template = kube.pod_template(clone)
    if template:
        template.setdefault("metadata", {}).setdefault("labels", {})[label] = name
        pod = template["spec"]
        if queue.grace_seconds is not None:
            pod["terminationGracePeriodSeconds"] = queue.grace_seconds
        stop = max(1, pod.get("terminationGracePeriodSeconds", 30) - STOP_MARGIN)
        extra = {"SDS_QUEUE": queue.name, "SDS_PROCESSES": str(queue.processes), "SDS_STOP_SECONDS": str(stop)}
        for c in pod["containers"]:
            env = [e for e in c.get("env", ()) if e["name"] not in extra]
            c["env"] = [*env, *({"name": k, "value": v} for k, v in extra.items())]
        for spread in pod.get("topologySpreadConstraints", ()):
            spread["labelSelector"]["matchLabels"][label] = name
    return clone


def _rank(obj: Mapping[str, Any]) -> tuple[int, str]:
    kind = obj["kind"]
    if kind not in KIND_ORDER:
        raise ConfigError(f"objects of kind {kind} are not supported in manifests", target=kube.name(obj))
    return KIND_ORDER.index(kind), kube.name(obj)
