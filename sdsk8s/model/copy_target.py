"""`COMPONENT[/WORKLOAD]:PATH` and `pod/NAME:PATH`. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from sdsk8s.errors import RefusedError, StepError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.readiness import is_ready

_REMOTE = re.compile(r"([A-Za-z0-9][\w.-]*)(?:/([\w.-]+))?:(.*)", re.DOTALL)


@dataclass(frozen=True)
class PodPath:
    """component is "" for a pod named by itself; path is absolute; into: it ended in a slash."""

    component: str
    part: str
    path: str
    into: bool = False

    def put(self, name: str) -> str:
        """The path of the copy of a source called `name`."""
        return posixpath.join(self.path, name) if self.into else self.path


def parse_pod_path(text: str) -> PodPath | None:
    """None for a local path: one without a colon, or that starts with / or a dot. UsageError for a bad one."""
    found = None if text.startswith(("/", ".", "~")) else _REMOTE.fullmatch(text)
    if found is None:
        return None
    name, part, path = found[1], found[2] or "", found[3]
    if not path.startswith("/"):
        raise UsageError("a path in a pod must start with /", target=text, next=f"{text.partition(':')[0]}:/...")
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if name in ("pod", "pods", "po"):
        if not part:
            raise UsageError("which pod?", target=text, next="pod/NAME:PATH")
        return PodPath("", part, clean, path.endswith("/"))
    return PodPath(name, part, clean, path.endswith("/"))


def container_of(pod: Object, wanted: str) -> str:
    """The named container, else the first. StepError when it is not running."""
    names = [str(c["name"]) for c in kube.main_containers(pod)]
    name = wanted or names[0]
    where = f"pod {kube.name(pod)}"
    if name not in names:
        raise UsageError(f'there is no container "{name}"', target=where, words=f"containers: {', '.join(names)}")
    if not any(c["name"] == name and kube.runs(c) for c in kube.container_statuses(pod)):
        raise StepError(f"container {name} is not running", target=where, next="sdsk8s status")
    return name


def need_pods(pods: list[Object], remote: PodPath, wanted: str) -> list[Object]:
    """The ready pods, or the one that was asked for. RefusedError names those that are not ready."""
    name = remote.component + (f"/{remote.part}" if remote.part else "")
    if wanted:
        chosen = [p for p in pods if kube.name(p) == wanted]
        if not chosen:
            known = ", ".join(kube.name(p) for p in pods)
            raise UsageError(f'{name} has no pod "{wanted}"', words=f"pods: {known or 'none'}")
        return chosen
    ready = [p for p in pods if is_ready(p)]
    late = [kube.name(p) for p in pods if not is_ready(p)]
    if not ready:
        raise RefusedError(
            f"{name} has no ready pod", words=f"not ready: {', '.join(late)}" if late else "", next="sdsk8s status"
        )
    return sorted(ready, key=lambda p: kube.name(p))
