"""`logs`: what all pods of a component print, each line with its pod and container before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from sdsk8s.backends.kubernetes.log_streams import Follower, Window, read
from sdsk8s.console.log_text import LogLines
from sdsk8s.errors import RefusedError, StepError, UsageError
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.logs import LogLine, LogSource, check_workload, seconds, sources
from sdsk8s.model.names import PART_OF
from sdsk8s.planner.kubernetes import is_running, workloads
from sdsk8s.verbs.session import Session

DEFAULT_TAIL = 100
SELECTOR = f"{PART_OF}=sds"


@dataclass(frozen=True)
class Request:
    """targets: COMPONENT or COMPONENT/WORKLOAD. tail: last lines of each container, None is the default, -1 all.

    since: such as 10m, only what is younger. previous: of the container before the last restart.
    container: only containers of that name. timestamps: the time before each line.
    """

    targets: Sequence[str]
    follow: bool = False
    tail: int | None = None
    since: str | None = None
    previous: bool = False
    container: str = ""
    timestamps: bool = False

    def window(self) -> Window:
        """Which lines. UsageError for a time that cannot be read."""
        age = seconds(self.since) if self.since else None
        tail = DEFAULT_TAIL if self.tail is None and age is None else self.tail
        return Window(None if tail == -1 else tail, age, self.previous)


@dataclass(frozen=True)
class Part:
    """A component, or one of its workloads."""

    component: Component
    workload: str

    def __str__(self) -> str:
        return f"{self.component.name}/{self.workload}" if self.workload else self.component.name


def run(session: Session, request: Request) -> int:
    """Print the lines; with follow until Ctrl-C. StepError says why there is nothing to print."""
    if request.follow and request.previous:
        raise UsageError("choose one of --previous and --follow: an ended container prints nothing new")
    window, console = request.window(), session.console
    parts = [part for target in request.targets for part in _parts(session, target)]
    pick = partial(_pick, parts, request.container)
    pods = session.cluster.list("Pod", SELECTOR)
    _check(session, parts, pods)
    lines = LogLines(json=session.options.json, timestamps=request.timestamps)

    def put(line: LogLine | None) -> None:
        """None: nothing waits, so that what was printed can be shown."""
        console.write(lines.text(line) + "\n" if line else "", flush=line is None)

    def note(text: str) -> None:
        console.note(f"note: {text}")

    if request.follow:
        try:
            for line in Follower(session.cluster, SELECTOR, pick, window, note).lines():
                put(line)
        except KeyboardInterrupt:
            return 0
    found = pick(pods)
    if not found:
        _nothing(session, parts, request.container)
    for line in read(session.cluster, found, window, note):
        put(line)
    return 0


def _parts(session: Session, target: str) -> list[Part]:
    name, _, workload = target.partition("/")
    return [Part(c, workload) for c in session.catalogue.select(name)]


def _pick(parts: Sequence[Part], container: str, pods: Sequence[Object]) -> list[LogSource]:
    """The containers of the pods that are meant, each once."""
    return list(dict.fromkeys(s for p in parts for s in sources(pods, p.component, p.workload, container)))


def _check(session: Session, parts: Sequence[Part], pods: list[Any]) -> None:
    for part in parts:
        component = part.component
        check_workload(component, part.workload, pods)
        where = session.site.where(component.name)
        if len(parts) == 1 and (component.stub or where != "kubernetes"):
            raise RefusedError(component.stub or f"{component.name} does not run in the cluster (where: {where})")


def _nothing(session: Session, parts: Sequence[Part], container: str) -> NoReturn:
    """Say why there are no lines: wrong container name, stopped, not deployed, or not started yet."""
    live = session.observe("Deployment", "StatefulSet", "Pod")
    names, first = ", ".join(map(str, parts)), parts[0].component.name
    if container:
        raise StepError(f'{names}: no started container is called "{container}"', next="repeat without --container")
    if not any(workloads(p.component, live) for p in parts):
        raise StepError(f"{names} is not deployed: no pods, no logs", next=f"sdsk8s start {first}")
    if not any(is_running(p.component, live) for p in parts):
        raise StepError(
            f"{names} is stopped: its pods and their logs are deleted",
            next=f"sdsk8s start {first}, or add -f to wait for its pods",
        )
    raise StepError(f"{names}: no container has started yet", next=f"sdsk8s status {first}")
