"""`logs`: what all pods of a component print, each line with its pod and container before it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.model.component import Component
    from sdsk8s.model.kube import Object
    from sdsk8s.model.logs import Line, Source
    from sdsk8s.verbs.session import Session

DEFAULT_TAIL = 100
PALETTE = ("cyan", "green", "yellow", "magenta", "blue")


@click.command()
@click.argument(
    "targets", nargs=-1, required=True, metavar="COMPONENT[/WORKLOAD]...", shell_complete=complete_component
)
@click.option("-f", "--follow", is_flag=True, help="Go on printing, also pods that appear later, until Ctrl-C.")
@click.option(
    "--tail", type=click.IntRange(min=-1), metavar="LINES",
    help=f"Last lines of each container, -1 for all; {DEFAULT_TAIL} when neither this nor --since is given.",
)  # fmt: skip
@click.option("--since", metavar="TIME", help="Only what is younger, such as 30s, 10m, 1h30m.")
@click.option("-p", "--previous", is_flag=True, help="Of the container before the last restart.")
@click.option("-c", "--container", default="", help="Only containers of that name, init steps included.")
@click.option("--timestamps", is_flag=True, help="Time (UTC) before each line.")
@site_options
def logs(
    targets: tuple[str, ...], follow: bool, tail: int | None, since: str | None, previous: bool, container: str,
    timestamps: bool, **kw: Any,
) -> None:  # fmt: skip
    """Logs of all pods of COMPONENT or of one of its workloads, side by side."""
    from sdsk8s.backends.kubernetes.log_streams import Follower, Window, read
    from sdsk8s.errors import UsageError
    from sdsk8s.model.logs import seconds
    from sdsk8s.model.names import PART_OF
    from sdsk8s.verbs.session import Session

    if follow and previous:
        raise UsageError("--previous and --follow exclude each other: an ended container prints nothing new")
    age = seconds(since) if since else None
    if tail is None and age is None:
        tail = DEFAULT_TAIL
    window = Window(None if tail == -1 else tail, age, previous)
    options = Options(**kw)
    session = Session(options)
    pairs = [(c, part) for t in targets for c, part in _pairs(session, t)]
    pick = _picker(pairs, container)
    pods = session.cluster.list("Pod", f"{PART_OF}=sds")
    _check(session, pairs, pods)
    out = Printer(options.output, timestamps)
    if follow:
        try:
            for line in Follower(session.cluster, f"{PART_OF}=sds", pick, window, _note).lines():
                out.put(line)
        except KeyboardInterrupt:
            return
    found = pick(pods)
    if not found:
        _nothing(session, pairs, container)
    for line in read(session.cluster, found, window, _note):
        out.put(line)


def _pairs(session: Session, target: str) -> list[tuple[Component, str]]:
    name, _, workload = target.partition("/")
    return [(c, workload) for c in session.catalogue.select(name)]


def _picker(pairs: list[tuple[Component, str]], container: str) -> Callable[[Sequence[Object]], list[Source]]:
    from sdsk8s.model.logs import sources

    def pick(pods: Sequence[Object]) -> list[Source]:
        return list(dict.fromkeys(s for c, workload in pairs for s in sources(pods, c, workload, container)))

    return pick


def _check(session: Session, pairs: list[tuple[Component, str]], pods: list[Any]) -> None:
    from sdsk8s.errors import RefusedError
    from sdsk8s.model.logs import check_workload

    for component, workload in pairs:
        check_workload(component, workload, pods)
        where = session.site.where(component.name)
        if len(pairs) == 1 and (component.stub or where != "kubernetes"):
            raise RefusedError(component.stub or f"{component.name} lives outside the cluster (where: {where})")


def _nothing(session: Session, pairs: list[tuple[Component, str]], container: str) -> None:
    """Say why there are no lines: wrong container name, stopped, not deployed, or not started yet."""
    from sdsk8s.backends.kubernetes.snapshot import snapshot
    from sdsk8s.errors import StepError
    from sdsk8s.model.observed import Observed
    from sdsk8s.planner.kubernetes import is_running, workloads

    live = Observed(objects=snapshot(session.cluster, ("Deployment", "StatefulSet", "Pod")))
    names = ", ".join(f"{c.name}/{w}" if w else c.name for c, w in pairs)
    if container:
        raise StepError(
            f'{names}: no started container is called "{container}"', next="sdsk8s logs without --container"
        )
    if not any(workloads(c, live) for c, _ in pairs):
        raise StepError(
            f"{names} is not deployed: there are no pods and no logs", next=f"sdsk8s start {pairs[0][0].name}"
        )
    if not any(is_running(c, live) for c, _ in pairs):
        raise StepError(
            f"{names} is stopped: its pods are gone, and their logs with them",
            next=f"sdsk8s start {pairs[0][0].name}, or add -f to wait for its pods",
        )
    raise StepError(f"{names}: no container has started yet", next=f"sdsk8s status {pairs[0][0].name}")


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)


class Printer:
    """Prints lines; a pod keeps its colour. put(None) flushes."""

    def __init__(self, form: str, timestamps: bool) -> None:
        from sdsk8s.console.colour import wanted

        self._json = form == "json"
        self._timestamps = timestamps
        self._colour = wanted()
        self._pods: dict[str, str] = {}

    def put(self, line: Line | None) -> None:
        if line is None:
            sys.stdout.flush()
        else:
            sys.stdout.write(self.text(line) + "\n")

    def text(self, line: Line) -> str:
        from sdsk8s.console.colour import paint

        source = line.source
        if self._json:
            return json.dumps({"time": line.stamp, "pod": source.pod, "container": source.container, "line": line.text})
        colour = self._pods.setdefault(source.pod, PALETTE[len(self._pods) % len(PALETTE)])
        stamp = f"{line.stamp} " if self._timestamps else ""
        return f"{paint(f'{source.pod} {source.container}', colour, self._colour)} {stamp}{line.text}"
