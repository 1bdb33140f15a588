"""Rules about one workload at a time: the five things that each long-running one says, and how it may run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sdsk8s.lint.finding import fault
from sdsk8s.model import kube
from sdsk8s.model.finding import Finding
from sdsk8s.model.image import moving_tag
from sdsk8s.model.kube import Object
from sdsk8s.model.names import secret_word
from sdsk8s.render.images import LOGICAL
from sdsk8s.render.objects import config_refs

LONG_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")
_DEVELOPMENT = re.compile(r"(^|_)ENV(IRONMENT)?$")


def workload_rules(obj: Object) -> Iterator[Finding]:
    """Findings of one object; nothing for kinds without pods."""
    spec = kube.pod_spec(obj)
    if not spec.get("containers"):
        return
    if obj.get("kind") in LONG_RUNNING:
        yield from _five(obj, spec)
    for c in kube.containers(obj):
        where = f"{kube.title(obj)}, container {c.get('name')}"
        image = str(c.get("image", ""))
        why = "" if image.startswith(LOGICAL) else moving_tag(image)
        if why:
            yield fault("moving-tag", where, f"{image}: {why}")
        yield from _security(where, spec, c)
        for entry in c.get("env") or ():
            yield from _variable(where, entry)


def _five(obj: Object, spec: Any) -> Iterator[Finding]:
    where = kube.title(obj)
    for c in spec["containers"]:
        at = f"{where}, container {c.get('name')}"
        resources = c.get("resources") or {}
        wants = [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")]
        lacking = [f"{kind}.{what}" for kind, what in wants if what not in (resources.get(kind) or {})]
        if lacking:
            yield fault("resources", at, f"resources lack {', '.join(lacking)}")
        if not c.get("livenessProbe"):
            yield fault("liveness", at, "no livenessProbe: a hung process is never restarted")
    if not config_refs(kube.pod_template(obj)):
        yield fault("configuration", where, "no ConfigMap or Secret is used: its configuration is part of the image")
    if not spec.get("initContainers"):
        yield fault("init", where, "no initContainers: it does not wait for the components that it needs")
    if not spec.get("volumes") and not (obj.get("spec") or {}).get("volumeClaimTemplates"):
        yield fault("volumes", where, "no volumes: files that it writes are lost, or cannot be written")


def _security(where: str, spec: Any, container: Any) -> Iterator[Finding]:
    pod, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    wrong = []
    if not (own.get("runAsNonRoot") or pod.get("runAsNonRoot")):
        wrong.append("runAsNonRoot is not set")
    if own.get("allowPrivilegeEscalation") is not False:
        wrong.append("allowPrivilegeEscalation is not false")
    if not own.get("readOnlyRootFilesystem"):
        wrong.append("readOnlyRootFilesystem is not set")
    if own.get("privileged"):
        wrong.append("it is privileged")
    if wrong:
        yield fault("security", where, "; ".join(wrong))


def _variable(where: str, entry: Any) -> Iterator[Finding]:
    name, value = str(entry.get("name", "")), entry.get("value")
    if value and secret_word(name):
        yield fault("secret-in-env", where, f"the manifest contains the value of {name}: use secretKeyRef")
    if _DEVELOPMENT.search(name) and str(value).lower() in ("development", "dev", "debug"):
        yield fault("development", where, f"{name} is {value}: this is a development mode")
