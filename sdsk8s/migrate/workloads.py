"""Programs and timers of an old site as Deployments and CronJobs of a component."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sdsk8s.migrate import notation
from sdsk8s.migrate.old_programs import OldProgram, Timer
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.queue import STOP_MARGIN
from sdsk8s.site.data import folder
from sdsk8s.site.yamlfile import read_mapping

Variables = Sequence[Mapping[str, Any]]
"""Entries of a container's `env`."""
_IMAGE = frozenset({"PATH", "PYTHONPATH", "VIRTUAL_ENV", "PYTHONUNBUFFERED", "LANG", "HOME", "USER"})
"""Variables that images set for their own layout: a value of the old host would break them."""


@cache
def imported() -> Mapping[str, Any]:
    """`manifests/imported.yaml`."""
    return read_mapping(folder("manifests") / "imported.yaml")


def given() -> Mapping[str, str]:
    """Variables that every imported container has: HOME and USER of images."""
    found: Mapping[str, str] = imported()["environment"]
    return found


def slug(text: str) -> str:
    """A name that Kubernetes takes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-") or "program"


def image_of(component: Component) -> str:
    """The component's image with its code, or ""."""
    return next((name for name, spec in component.images.items() if spec.packages), "")


def of_image(variable: str) -> bool:
    """Whether images set this variable themselves."""
    return variable in _IMAGE


def deployment(
    component: Component, name: str, program: OldProgram, argv: Sequence[str], env: Variables, replicas: int
) -> dict[str, Any]:
    """argv: see `started`; the program's directory: as it is in the image."""
    obj = _object("deployment", name)
    pod = _pod(component, argv, env)
    container = pod["containers"][0]
    if program.directory:
        container["workingDir"] = program.directory
    pod["terminationGracePeriodSeconds"] = 1 if program.signal == "KILL" else program.grace + STOP_MARGIN
    if program.signal not in ("TERM", "KILL"):
        # TERM follows only when the program outlives the grace period: the hook ends with the container.
        line = f"kill -s {program.signal} 1; while :; do sleep 1; done"
        container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sh", "-c", line]}}}
    labels = _labels(name)
    obj["spec"] |= {
        "replicas": replicas if program.enabled else 0,
        "minReadySeconds": program.ready,
        "selector": {"matchLabels": {kube.NAME_LABEL: name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return obj


def cron_job(component: Component, name: str, timer: Timer, argv: Sequence[str], env: Variables) -> dict[str, Any]:
    """argv: see `started`."""
    obj = _object("cronjob", name)
    pod = _pod(component, argv, env)
    pod["restartPolicy"] = "Never"
    obj["spec"] |= {"schedule": timer.schedule} | ({"timeZone": timer.zone} if timer.zone else {})
    obj["spec"]["jobTemplate"] = {
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": _labels(name)}, "spec": pod}}
    }
    return obj


def started(argv: Sequence[str], env: Variables, computed: Sequence[tuple[str, str]] = ()) -> list[str]:
    """The container's command; through /bin/sh where it names variables that only the image has.

    computed: variables whose values do so.
    """
    known = {str(e["name"]) for e in env} | set(given())
    if not computed and all(name in known for word in argv for name in notation.names(word)):
        return list(argv)
    lines = [f"export {name}={notation.shell(value)}" for name, value in computed]
    lines.append("exec " + " ".join(notation.shell(word) for word in argv))
    return ["/bin/sh", "-c", notation.literal("\n".join(lines))]


def known_first(env: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Variables that Kubernetes can give, plain ones first, and those that name one which only the image has."""
    have = {name for name, value in env if not notation.names(value)} | set(given())
    simple = [(n, v) for n, v in env if not notation.names(v)]
    more = [(n, v) for n, v in env if notation.names(v) and all(x in have and x != n for x in notation.names(v))]
    return simple + more, [e for e in env if e not in simple and e not in more]


def _object(kind: str, name: str) -> dict[str, Any]:
    obj: dict[str, Any] = copy.deepcopy(dict(imported()[kind]))
    obj["metadata"] = {"name": name, "labels": _labels(name), **obj["metadata"]}
    return obj


def _labels(name: str) -> dict[str, str]:
    return {kube.NAME_LABEL: name, kube.PART_LABEL: "imported"}


def _pod(component: Component, argv: Sequence[str], env: Variables) -> dict[str, Any]:
    data = copy.deepcopy(dict(imported()))
    image = f"sds/{image_of(component)}"
    pod: dict[str, Any] = data["pod"]
    waits = _waits(component)
    if waits:
        pod["initContainers"] = [{**waits, "image": image}]
    else:
        command = ["/bin/sh", "-c", "exit 0"]
        pod["initContainers"] = [{**data["container"], "name": "wait", "image": image, "command": command}]
        pod["initContainers"][0].pop("volumeMounts")
    own = [{"name": k, "value": v} for k, v in given().items()]
    start = {"name": "program", "image": image, "command": ["sds-home", *argv], "env": [*own, *env]}
    pod["containers"] = [{**start, **data["container"]}]
    etc = {"name": "etc", "projected": {"defaultMode": 0o440, "sources": _sources(component)}}
    pod["volumes"] = [etc, *data["volumes"]]
    return pod


def _waits(component: Component) -> dict[str, Any]:
    """The init container of the component's own workloads that waits for its stores."""
    for obj in component.manifests:
        for c in kube.init_containers(obj) if obj["kind"] in WORKLOADS else ():
            if c.get("name") == "wait":
                return copy.deepcopy(dict(c))
    return {}


def _sources(component: Component) -> list[dict[str, Any]]:
    """The component's configuration, but for objects that hold a file which an earlier one has (a program list)."""
    groups: dict[tuple[str, bool], list[Any]] = {}
    for entry in component.config:
        groups.setdefault((entry.into, entry.secret), []).append(entry)
    sources: list[dict[str, Any]] = []
    seen: set[str] = set()
    for (name, secret), entries in groups.items():
        files = {e.file for e in entries}
        if files & seen or "supervisord.conf" in files:
            # the part of it that others lack
            items = sorted(f for f in files - seen if f != "supervisord.conf")
            entries = [e for e in entries if e.file in items]
        else:
            items = []
        if not entries:
            continue
        seen |= {e.file for e in entries}
        source: dict[str, Any] = {"name": name}
        if items:
            source["items"] = [{"key": f, "path": f} for f in items]
        if all(e.optional for e in entries):
            source["optional"] = True
        sources.append({"secret" if secret else "configMap": source})
    return sources
