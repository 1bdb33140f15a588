"""`update --copy`: the development loop. Code of the site's tree goes into running pods; images stay as they are."""

from __future__ import annotations

import stat
import time
from contextlib import suppress
from pathlib import Path

from sdsk8s.backends.docker.context import source_files
from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.copy.transfer import CopySource, Outcome, Settings
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.errors import ClusterError, RefusedError, SdsError, StepError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.copy_target import PodPath
from sdsk8s.model.copying import Entry, Listing
from sdsk8s.model.drift import instance
from sdsk8s.model.image import ImageSpec
from sdsk8s.model.kube import Object
from sdsk8s.model.readiness import is_ready
from sdsk8s.render.develop import CODE
from sdsk8s.verbs.copy import Upload, find_pods, protocols, report, target_of, upload_all
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

_RESTART_SECONDS = 90.0


def update_copy(names: tuple[str, ...], options: Options) -> int:
    """Copy the packages of each component into all its ready pods; returns the exit code.

    RefusedError for a component that is not rendered with `develop`, before anything is copied.
    """
    session = Session(options)
    chosen = list({c.name: c for n in names for c in session.catalogue.select(n) if c.images}.values())
    if names == ("all",):
        chosen = [c for c in chosen if session.site.develop(c.name)]
    off = [c.name for c in chosen if not session.site.develop(c.name)]
    if off or not chosen:
        raise RefusedError(
            f"{', '.join(off) or 'nothing'}: the code is in the image and cannot be changed in a running pod",
            target=f"{session.site.home}/site.yaml",
            next="run sdsk8s update to build a new image; for development set components.NAME.develop: true, run sdsk8s"
            " update NAME once, and then update NAME --copy",
        )
    if not options.yes and not options.dry_run:
        session.console.need_terminal("update --copy")
        if not session.console.confirm("copy code into the running pods of", ", ".join(c.name for c in chosen)):
            session.console.note("not confirmed: nothing was changed")
            return 0
    codes = [_update_one(session, c, options) for c in chosen]
    return max(codes)


def _update_one(session: Session, component: Component, options: Options) -> int:
    pods = find_pods(session, PodPath(component.name, "", CODE), "")
    done: dict[str, Outcome | SdsError] = {}
    specs = [s for s in component.images.values() if s.packages]
    for spec in specs:
        source = tree(Path(session.site.source).expanduser(), spec)
        mine = tuple(p for p in pods if len(specs) == 1 or _runs(p, spec))
        settings = Settings(
            delete=True, dry_run=options.dry_run, within=spec.packages, keep=_links(spec), protocols=protocols()
        )
        found = upload_all(session.cluster, Upload(source, CODE, mine, settings, ephemeral=True))
        done |= found
        for pod in mine:
            to_name = kube.name(pod)
            result = found[to_name]
            if isinstance(result, Outcome) and result.how and not kube.supervised(pod):
                failed = _restart_container(session.cluster, pod)
                if failed:
                    done[to_name] = failed
    return report(done, options, dry_run=options.dry_run)


def tree(source: Path, spec: ImageSpec) -> CopySource:
    """The packages of an image as they lie in it: links followed, modes as the build sets them."""
    entries: dict[str, Entry] = {}
    paths: dict[str, str] = {}
    left_out = set(_links(spec))
    for name, path in source_files(source, spec.packages).items():
        if name in left_out or "/" not in name:
            continue
        parts = name.split("/")[:-1]
        for n in range(len(parts)):
            above = "/".join(parts[: n + 1])
            entries.setdefault(above, Entry(above, "d", 0o755, 0, 0))
        st = path.stat()
        mode = stat.S_IMODE(st.st_mode) & ~0o6022 | 0o444
        entries[name] = Entry(name, "f", mode, st.st_size, st.st_mtime_ns)
        paths[name] = str(path)
    listing = Listing(str(source), "d", entries, {})
    return CopySource(lambda: (listing, paths))


def _links(spec: ImageSpec) -> tuple[str, ...]:
    return tuple(link.removeprefix(CODE + "/") for link in spec.links)


def _runs(pod: Object, spec: ImageSpec) -> bool:
    """The pod's first container runs an image of that name."""
    reference = str(pod["spec"]["containers"][0]["image"]).partition("@")[0]
    return reference.rpartition("/")[2].partition(":")[0] == spec.name


def _restart_container(cluster: Cluster, pod: Object) -> SdsError | None:
    """End process 1 and wait: the kubelet starts the container again, and the volume with the code is still there.

    One pod after the other, so that the rest of them serves meanwhile. The error says that the old code still runs.
    """
    to = target_of(pod, "")
    with suppress(ClusterError):  # the connection may end with the container
        exec_(cluster, to.pod, to.container, ["python3", "-I", "-S", "-c", "import os;os.kill(1,15)"])
    end = time.monotonic() + _RESTART_SECONDS
    while time.monotonic() < end:
        now = cluster.get("Pod", to.pod)
        if now is not None and instance(now, to.container) != instance(pod, to.container) and is_ready(now):
            return None
        time.sleep(0.5)
    return StepError(
        "the code was copied, but the container did not become ready in time",
        target=f"pod {to.pod}, container {to.container}",
        words=f"after {_RESTART_SECONDS:.0f} s; process 1 must end on TERM", next=f"sdsk8s logs {to.pod}",
    )  # fmt: skip
