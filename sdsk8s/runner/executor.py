"""Does the steps of a Plan: each Step type is one call of a back end."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.steps import Say
from sdsk8s.errors import StepError
from sdsk8s.model import kube
from sdsk8s.model.pods import is_ready
from sdsk8s.planner.steps import (
    Apply,
    Build,
    Delete,
    Exec,
    Pack,
    Push,
    Record,
    RemoveImage,
    Restart,
    Scale,
    Step,
    Supervise,
    Unstick,
    Upload,
    WaitGone,
    WaitJob,
    WaitReady,
)
from sdsk8s.render.digests import pin_digests

if TYPE_CHECKING:
    from sdsk8s.backends.bundles import Bundles
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.backends.kubernetes.api import Cluster
    from sdsk8s.backends.kubernetes.informer import Informer


class ClusterExecutor:
    """digests: {reference: digest} known before the run; Build steps add theirs. author: who, why and in which run,
    for what is recorded."""

    def __init__(
        self,
        cluster: Cluster,
        images: Images,
        digests: dict[str, str],
        logs: Path,
        timeout: float,
        bundles: Bundles | None = None,
        author: Mapping[str, str] | None = None,
    ) -> None:
        self._cluster = cluster
        self._images = images
        self._digests = digests
        self._logs = logs
        self._timeout = timeout
        self._bundles = bundles
        self._author = dict(author or {})
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._informer: Informer | None = None

    def execute(self, step: Step, say: Say) -> str:
        method: Any = getattr(self, f"_{type(step).__name__.lower()}")
        return str(method(step, say) or "")

    def cancel(self) -> None:
        self._cancelled.set()

    def _build(self, step: Build, say: Say) -> str:
        built = self._images.build(step.image, step.ref, say, self._logs)
        with self._lock:
            self._digests[step.ref] = built.digest
        return built.fact

    def _pack(self, step: Pack, say: Say) -> str:
        return self._shipped().pack(step.file, step.content)

    def _upload(self, step: Upload, say: Say) -> str:
        return self._shipped().upload(step.file, step.bucket, step.key, step.encrypt, say)

    def _push(self, step: Push, say: Say) -> str:
        digest = self._shipped().push(step.file, step.ref, step.encrypt)
        with self._lock:
            self._digests[step.ref] = digest
        return digest[:19]

    def _removeimage(self, step: RemoveImage, say: Say) -> None:
        if step.where == "engine":
            self._images.engine.remove(step.ref)
        else:
            self._images.registry.delete(step.ref)

    def _shipped(self) -> Bundles:
        if self._bundles is None:
            raise StepError("this run has no bundles")
        return self._bundles

    def _apply(self, step: Apply, say: Say) -> None:
        with self._lock:
            known = dict(self._digests)
        self._cluster.apply(pin_digests(step.obj, known), force=True)

    def _scale(self, step: Scale, say: Say) -> None:
        from sdsk8s.model.names import REPLICAS

        notes = {} if step.record is None else {REPLICAS: str(step.record)}
        self._cluster.scale(step.kind, step.name, step.replicas, notes)

    def _delete(self, step: Delete, say: Say) -> None:
        self._cluster.delete(step.kind, step.name)

    def _restart(self, step: Restart, say: Say) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        notes = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}
        self._cluster.patch(step.kind, step.name, {"spec": {"template": notes}})

    def _unstick(self, step: Unstick, say: Say) -> str:
        from sdsk8s.backends.kubernetes.unstick import free_stuck_pods

        freed = free_stuck_pods(self._cluster, step.name, self._timeout, self._cancelled.is_set)
        return f"deleted {', '.join(freed)}" if freed else "none was in the way"

    def _record(self, step: Record, say: Say) -> str:
        from sdsk8s.backends.kubernetes.history import save_revision
        from sdsk8s.model.history import Revision, config_hash, fingerprint, images_in

        with self._lock:
            known = dict(self._digests)
        objects = [pin_digests(o, known) for o in step.objects]
        revision = Revision(
            step.component,
            0,
            when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            images=images_in(objects),
            config=config_hash(objects),
            content=fingerprint(objects),
            **self._author,
        )
        saved = save_revision(self._cluster, revision, objects, step.trees)
        return f"revision {saved.number}"

    def _waitready(self, step: WaitReady, say: Say) -> None:
        from sdsk8s.backends.kubernetes.verdict import RolloutReady

        self._wait(RolloutReady(step.kind, step.name), say)

    def _waitgone(self, step: WaitGone, say: Say) -> None:
        from sdsk8s.backends.kubernetes.verdict import Gone

        self._wait(Gone(step.selector), say)

    def _waitjob(self, step: WaitJob, say: Say) -> None:
        from sdsk8s.backends.kubernetes.verdict import JobDone

        self._wait(JobDone(step.name), say)

    def _wait(self, goal: Any, say: Say) -> None:
        from sdsk8s.backends.kubernetes.informer import Informer
        from sdsk8s.backends.kubernetes.wait import SELECTOR, wait

        with self._lock:
            if self._informer is None:
                self._informer = Informer(self._cluster, SELECTOR)
        wait(self._cluster, [goal], self._timeout, say, informer=self._informer, cancelled=self._cancelled.is_set)

    def _exec(self, step: Exec, say: Say) -> str:
        return self._command(step.reason, self._ready_pod(step), step.container, step.command)

    def _supervise(self, step: Supervise, say: Say) -> str:
        return self._command(step.title(), step.pod, step.container, step.command)

    def _command(self, what: str, pod: str, container: str, command: tuple[str, ...]) -> str:
        from sdsk8s.backends.kubernetes.exec import exec_

        result = exec_(self._cluster, pod, container, list(command), timeout=self._timeout)
        if result.code != 0:
            raise StepError(
                f"{what}: the command ended with {result.code}",
                target=f"pod {pod}, container {container}",
                words=(result.stderr or result.stdout).decode(errors="replace")[-1500:],
            )
        text = result.stdout.decode(errors="replace").strip()
        return text.splitlines()[-1][:120] if text else ""

    def _ready_pod(self, step: Exec) -> str:
        for pod in self._cluster.list("Pod", step.selector):
            if is_ready(pod):
                return kube.name(pod)
        raise StepError(f"{step.reason}: no ready pod", target=step.selector, next="sdsk8s status")
