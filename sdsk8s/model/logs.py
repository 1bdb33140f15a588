"""Which containers `logs` reads, and how their lines are separated and sorted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdsk8s.errors import UsageError
from sdsk8s.model import kube
from sdsk8s.model.kube import NAME_LABEL, PART_LABEL, Object
from sdsk8s.model.names import WORKLOADS, unknown

if TYPE_CHECKING:
    from sdsk8s.model.component import Component

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class LogSource:
    """One container of one pod. uid: the pod's; a StatefulSet's pod keeps its name when it is replaced."""

    uid: str
    pod: str
    container: str


@dataclass(frozen=True)
class LogLine:
    """stamp: as the kubelet wrote it, UTC."""

    source: LogSource
    stamp: str
    text: str


def sources(pods: Iterable[Object], component: Component, workload: str, container: str) -> list[LogSource]:
    """Containers to read. Init steps count while they have not succeeded, or when `container` names one."""
    found = []
    for pod in pods:
        if belongs(pod, component, workload):
            found += [LogSource(kube.uid(pod), kube.name(pod), name) for name in _containers(pod, container)]
    return sorted(found, key=lambda s: (s.pod, s.container))


def belongs(pod: Object, component: Component, workload: str) -> bool:
    """The pod is of the component, and of the workload when one is named in any of its forms."""
    if kube.component(pod) != component.name:
        return False
    names = (kube.label(pod, NAME_LABEL), kube.label(pod, PART_LABEL), kube.name(pod))
    return not workload or workload in names or f"{component.name}-{workload}" in names


def _containers(pod: Object, wanted: str) -> list[str]:
    begun = {c["name"]: kube.state(c) for c in kube.every_status(pod) if c.get("containerID")}
    main = [c["name"] for c in kube.main_containers(pod)]
    init = [c["name"] for c in kube.init_containers(pod)]
    if wanted:
        return [n for n in [*main, *init] if n == wanted and n in begun]
    stuck = [n for n in init if n in begun and (begun[n].get("terminated") or {}).get("exitCode") != 0]
    return [n for n in [*main, *stuck] if n in begun]


def container_state(pod: Object | None, source: LogSource) -> tuple[str, str]:
    """(container id, state): running, waiting, terminated, or gone when the pod no longer exists."""
    if pod is None or kube.uid(pod) != source.uid:
        return "", "gone"
    for statuses in (kube.container_statuses(pod), kube.init_statuses(pod)):
        for c in statuses:
            if c["name"] == source.container:
                state = next(iter(kube.state(c) or {"waiting": {}}))
                over = kube.finished(pod) or c in kube.init_statuses(pod)
                return str(c.get("containerID", "")), "gone" if state == "terminated" and over else state
    return "", "waiting"


def check_workload(component: Component, workload: str, pods: Iterable[Object]) -> None:
    """UsageError with the known names when neither a manifest nor a pod has that workload."""
    known = {kube.name(m) for m in component.manifests if m["kind"] in WORKLOADS}
    mine = [p for p in pods if kube.component(p) == component.name]
    known |= {found for p in mine if (found := kube.label(p, NAME_LABEL))}
    other = {found for p in mine if (found := kube.label(p, PART_LABEL))} | {kube.name(p) for p in mine}
    if not workload or workload in known | other or f"{component.name}-{workload}" in known:
        return
    short = sorted(n.removeprefix(component.name + "-") for n in known)
    raise UsageError(
        f'{component.name} has no workload "{workload}"', words=unknown(workload, short), next="sdsk8s components"
    )


def parse_line(source: LogSource, raw: str, before: str = "") -> LogLine | str:
    """A line as the API server sends it with timestamps=true, or what the kubelet says instead of one.

    before: the stamp of the line before, for the rest of a very long line, which has none of its own.
    """
    stamp, _, text = raw.partition(" ")
    if re.match(r"\d{4}-\d\d-\d\dT", stamp):
        return LogLine(source, stamp, text)
    # It comes with status 200, in the middle of the log or in its place: the file is already removed.
    return raw if raw.startswith("unable to retrieve") or not before else LogLine(source, before, raw)


def order(line: LogLine) -> tuple[str, str]:
    """Sorts by time: the kubelet drops trailing zeros of the fraction, so that the text alone would not."""
    whole, _, fraction = line.stamp.removesuffix("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def seconds(text: str) -> int:
    """`90`, `90s`, `10m`, `1h30m`, `2d` in seconds. UsageError otherwise."""
    if text.isdigit():
        return int(text)
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise UsageError(f'"{text}" is not a length of time', words="use a time such as 90s, 10m, 1h30m, 2d")
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhd])", text))
