"""What `cp` and `update --copy` do: find the pods, copy to all at once, mark drift, restart programs, report."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.copy.transfer import CopySource, Outcome, PodContainer, Settings, download, upload
from sdsk8s.backends.kubernetes.exec import V4, V5, exec_
from sdsk8s.console.copy_progress import Meter
from sdsk8s.errors import ClusterError, RefusedError, SdsError, StepError, UsageError, printable
from sdsk8s.model import kube, text
from sdsk8s.model.copy_target import PodPath, container_of, need_pods, parse_pod_path
from sdsk8s.model.copying import MAX_BYTES
from sdsk8s.model.drift import mark
from sdsk8s.model.kube import Object
from sdsk8s.model.logs import belongs, check_workload
from sdsk8s.model.mounts import Place, check_place, place
from sdsk8s.model.names import DRIFT
from sdsk8s.model.parallel import together
from sdsk8s.model.supervisord import supervisorctl
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

_RESTART_SECONDS = 600.0

_AT_ONCE = 16
_RESTART_SECONDS = 600.0


@dataclass(frozen=True)
class Request:
    """restart: None is "after a copy over the image's own files"."""

    src: str
    dst: str
    delete: bool = False
    dry_run: bool = False
    pod: str = ""
    container: str = ""
    ephemeral: bool = False
    restart: bool | None = None
    skip_links: bool = False
    max_bytes: int | None = None


@dataclass(frozen=True)
class Upload:
    """One upload to several pods, and what goes with it."""

    source: CopySource
    path: str
    pods: tuple[Object, ...]
    settings: Settings
    container: str = ""
    ephemeral: bool = False
    restart: bool | None = None


def copy(request: Request, options: Options) -> int:
    """Run `cp`; returns the exit code."""
    src, dst = parse_pod_path(request.src), parse_pod_path(request.dst)
    if (src is None) == (dst is None):
        raise UsageError(
            "expected one of SRC and DST on this machine and the other in pods",
            next="write COMPONENT[/WORKLOAD]:PATH or pod/NAME:PATH; write ./NAME for a local name with a colon",
        )
    session = Session(options)
    settings = Settings(
        request.delete, request.dry_run, request.skip_links,
        MAX_BYTES if request.max_bytes is None else request.max_bytes, protocols=protocols(),
    )  # fmt: skip
    remote = src or dst
    assert remote is not None
    if dst is not None:
        local = Path(request.src).expanduser()
        source = CopySource.of(local, settings)
        path = dst.put(local.resolve().name)
        pods = find_pods(session, dst, request.pod)
        job = Upload(source, path, tuple(pods), settings, request.container, request.ephemeral, request.restart)
        done = upload_all(session.cluster, job)
        _ = source.listing  # what is wrong with it is said once, not by every pod
    else:
        pods = find_pods(session, remote, request.pod)
        done = _download_all(session.cluster, remote, pods, request, settings)
    return report(done, options, dry_run=request.dry_run)


def find_pods(session: Session, remote: PodPath, wanted: str) -> list[Object]:
    """The pods that a target means. RefusedError when none is ready; ClusterError when there is no such pod."""
    if not remote.component:
        pod = session.cluster.get("Pod", remote.part)
        if pod is None:
            raise ClusterError("pod not found", target=f"pod {remote.part}", next="sdsk8s status")
        return [pod]
    component = session.catalogue.get(remote.component)
    if session.site.where(component.name) != "kubernetes":
        where = session.site.where(component.name)
        raise RefusedError(f"{component.name} does not run in the cluster (where: {where})")
    pods = session.cluster.list("Pod", component.selector())
    check_workload(component, remote.part, pods)
    alive = [p for p in pods if not kube.finished(p)]
    return need_pods([p for p in alive if belongs(p, component, remote.part)], remote, wanted)


def upload_all(cluster: Cluster, job: Upload) -> dict[str, Outcome | SdsError]:
    """To every pod at once. What is refused for one pod is refused before anything is sent to any."""
    places = {kube.name(p): place(p, container_of(p, job.container), job.path) for p in job.pods}
    for pod in job.pods:
        check_place(places[kube.name(pod)], f"pod {kube.name(pod)}: {job.path}", ephemeral=job.ephemeral)
    with Meter(len(job.pods)) as meter:
        return together(
            {kube.name(p): partial(_upload_one, cluster, job, p, places[kube.name(p)], meter) for p in job.pods}
        )


def _upload_one(cluster: Cluster, job: Upload, pod: Object, at: Place, meter: Meter) -> Outcome:
    to = target_of(pod, job.container)

    def allowed(real: str) -> int:
        found = place(pod, to.container, real)
        if real != job.path:  # a link on the way may lead from a volume into the image
            check_place(found, f"pod {to.pod}: {real}", ephemeral=job.ephemeral)
        return found.limit

    own = at.kind in ("image", "code")
    begin = partial(_mark, cluster, pod, to.container, job.path, bool(at.mount)) if own else (lambda: None)
    outcome = upload(cluster, to, job.source, job.path, job.settings, meter, allowed, begin)
    wanted = job.restart if job.restart is not None else own
    if wanted and kube.supervised(pod) and outcome.how:
        meter.note(to.pod, "restarting its programs")
        _restart(cluster, to)
    return outcome


def _mark(cluster: Cluster, pod: Object, container: str, path: str, lasting: bool) -> None:
    """The annotation comes first: a copy that is cut off later must not go unseen."""
    from sdsk8s.runner.journal import who

    value = mark(pod, container, [path], who(), lasting=lasting)
    cluster.patch("Pod", kube.name(pod), {"metadata": {"annotations": {DRIFT: value}}})


def _restart(cluster: Cluster, to: PodContainer) -> None:
    done = exec_(cluster, to.pod, to.container, list(supervisorctl("restart", "all")), timeout=_RESTART_SECONDS)
    if done.code:
        raise StepError(
            "the copy is complete, but restarting the programs failed",
            target=f"pod {to.pod}, container {to.container}",
            words=(done.stdout or done.stderr).decode(errors="replace").strip(), next=f"sdsk8s logs {to.pod}",
        )  # fmt: skip


def _download_all(
    cluster: Cluster, remote: PodPath, pods: list[Object], request: Request, settings: Settings
) -> dict[str, Outcome | SdsError]:
    """From one pod to DST; from several to DST/POD each."""
    to = Path(request.dst).expanduser()
    if request.dst.endswith("/"):
        to = to / Path(remote.path).name
    with Meter(len(pods)) as meter:
        jobs = {}
        for pod in pods:
            place_ = to if len(pods) == 1 else to / kube.name(pod)
            jobs[kube.name(pod)] = partial(
                download, cluster, target_of(pod, request.container), remote.path, place_, settings, meter
            )
        return together(jobs)


def report(done: Mapping[str, Outcome | SdsError], options: Options, *, dry_run: bool) -> int:
    """Print the table or JSON; errors on stderr. Returns the exit code."""
    failed = [e for e in done.values() if isinstance(e, SdsError)]
    if options.output == "json":
        body = {"version": 1, "dry_run": dry_run, "pods": [_as_dict(n, o) for n, o in done.items()]}
        click.echo(json.dumps(body, indent=2))
    else:
        width = max(map(len, done))
        for name, o in done.items():
            if isinstance(o, Outcome):
                click.echo(f"{name:<{width}}  {printable(_words(o, dry_run))}")
                for line in _lines(o) if dry_run else ():
                    click.echo(f"  {printable(line)}")
        for err in failed:
            for line in err.lines():
                click.echo(line, err=True)
    if not failed:
        return 0
    return failed[0].exit_code if len(failed) == len(done) else 3


def _as_dict(name: str, o: Outcome | SdsError) -> dict[str, Any]:
    if isinstance(o, SdsError):
        return {"pod": name, "state": "failed", "error": o.as_dict()}
    p = o.plan
    return {
        "pod": name,
        "state": "unchanged" if p.empty else "planned" if not o.how else "done",
        "path": o.path,
        "how": o.how,
        "files": [{"path": e.path, "size": e.size, "mode": e.mode, "sha256": o.digests.get(e.path)} for e in p.files],
        "links": [{"path": e.path, "to": e.link} for e in p.links],
        "modes": [{"path": e.path, "mode": e.mode} for e in p.modes],
        "folders": [e.path for e in p.dirs],
        "deleted": list(p.delete),
        "same": p.same,
        "bytes": p.size,
        "seconds": o.seconds,
        "tries": o.tries,
        "protocol": o.protocol,
    }


def _words(o: Outcome, dry_run: bool) -> str:
    p = o.plan
    if p.empty:
        return f"{o.path}: nothing to do, {text.count(p.same, 'file')} unchanged"
    parts = [f"{len(p.files)} of {p.total} files, {text.size(p.size)}"]
    parts += [text.count(len(p.links), "link")] if p.links else []
    parts += [text.count(len(p.modes), "mode")] if p.modes else []
    parts += [f"{len(p.delete)} {'to delete' if dry_run else 'deleted'}"] if p.delete else []
    if dry_run:
        return f"{o.path}: would copy " + ", ".join(parts)
    speed = f", {text.size(round(p.size / o.seconds))}/s" if p.size > 1 << 20 and o.seconds else ""
    again = f", {o.tries} tries" if o.tries > 1 else ""
    return f"{o.path}: " + ", ".join(parts) + f", verified, {o.seconds:.1f} s{speed}{again}"


def _lines(o: Outcome) -> list[str]:
    p = o.plan
    out = [f"copy    {e.path or o.path}  {text.size(e.size)}" for e in p.files]
    out += [f"link    {e.path} -> {e.link}" for e in p.links]
    out += [f"folder  {e.path or o.path}" for e in p.dirs]
    out += [f"mode    {e.path or o.path}  {e.mode:o}" for e in p.modes]
    return out + [f"delete  {path}" for path in p.delete]


def target_of(pod: Object, container: str) -> PodContainer:
    return PodContainer(kube.name(pod), container_of(pod, container), kube.uid(pod))


def protocols() -> tuple[str, ...]:
    return (V4,) if os.environ.get("SDS_EXEC_PROTOCOL") == "v4" else (V5, V4)
