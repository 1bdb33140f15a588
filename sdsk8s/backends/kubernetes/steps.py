"""Handlers of the steps that the API server or a pod carries out."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.history import History
from sdsk8s.backends.kubernetes.informer import Informer
from sdsk8s.backends.kubernetes.pod import PodTarget
from sdsk8s.backends.kubernetes.unstick import free_stuck_pods
from sdsk8s.backends.kubernetes.wait import SELECTOR, wait
from sdsk8s.backends.steps import Handlers, RunFacts, Say
from sdsk8s.errors import StepError
from sdsk8s.model import kube
from sdsk8s.model.goals import Gone, JobDone, RolloutReady
from sdsk8s.model.history import Revision, config_hash, fingerprint, images_in
from sdsk8s.model.names import REPLICAS
from sdsk8s.model.readiness import is_ready
from sdsk8s.planner.steps import (
    Apply,
    Delete,
    Exec,
    Record,
    Restart,
    Scale,
    Supervise,
    Unstick,
    WaitGone,
    WaitJob,
    WaitReady,
)
from sdsk8s.render.digests import pin_digests


class ClusterSteps:
    """The steps of one run on one cluster."""

    def __init__(self, cluster: Cluster, run: RunFacts) -> None:
        self._cluster = cluster
        self._run = run
        self._lock = threading.Lock()
        self._informer: Informer | None = None

    def handlers(self) -> Handlers:
        return {
            Apply: self.apply,
            Scale: self.scale,
            Delete: self.delete,
            Restart: self.restart,
            Unstick: self.unstick,
            Record: self.record,
            Exec: self.exec,
            Supervise: self.supervise,
            WaitReady: lambda step, say: self.wait(RolloutReady(step.kind, step.name), say),
            WaitGone: lambda step, say: self.wait(Gone(step.selector), say),
            WaitJob: lambda step, say: self.wait(JobDone(step.name), say),
        }

    def apply(self, step: Apply, say: Say) -> None:
        self._cluster.apply(pin_digests(step.obj, self._run.digests.all()), force=True)

    def scale(self, step: Scale, say: Say) -> None:
        notes = {} if step.record is None else {REPLICAS: str(step.record)}
        self._cluster.scale(step.kind, step.name, step.replicas, notes)

    def delete(self, step: Delete, say: Say) -> None:
        self._cluster.delete(step.kind, step.name)

    def restart(self, step: Restart, say: Say) -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        notes = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": at}}}
        self._cluster.patch(step.kind, step.name, {"spec": {"template": notes}})

    def unstick(self, step: Unstick, say: Say) -> str:
        freed = free_stuck_pods(self._cluster, step.name, self._run.timeout, self._run.cancelled.is_set)
        return f"deleted {', '.join(freed)}" if freed else "no pod had to be deleted"

    def record(self, step: Record, say: Say) -> str:
        known = self._run.digests.all()
        objects = [pin_digests(o, known) for o in step.objects]
        revision = Revision(
            step.component,
            0,
            when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            images=images_in(objects),
            config=config_hash(objects),
            content=fingerprint(objects),
            **self._run.author,
        )
        return f"revision {History(self._cluster).save(revision, objects, step.trees).number}"

    def exec(self, step: Exec, say: Say) -> str:
        return self._command(step.reason, self._ready_pod(step), step.container, step.command)

    def supervise(self, step: Supervise, say: Say) -> str:
        return self._command(step.title(), step.pod, step.container, step.command)

    def wait(self, goal: Any, say: Say) -> None:
        with self._lock:
            if self._informer is None:
                self._informer = Informer(self._cluster, SELECTOR)
        cancelled = self._run.cancelled.is_set
        wait(self._cluster, [goal], self._run.timeout, say, informer=self._informer, cancelled=cancelled)

    def _command(self, what: str, pod: str, container: str, command: tuple[str, ...]) -> str:
        result = PodTarget(self._cluster, pod, container).run(command, self._run.timeout)
        if result.code != 0:
            raise StepError(
                f"{what}: the command ended with {result.code}",
                target=f"pod {pod}, container {container}",
                words=result.words[-1500:],
            )
        text = result.stdout.strip()
        return text.splitlines()[-1][:120] if text else ""

    def _ready_pod(self, step: Exec) -> str:
        for pod in self._cluster.list("Pod", step.selector):
            if is_ready(pod):
                return kube.name(pod)
        raise StepError(f"{step.reason}: no ready pod", target=step.selector, next="sdsk8s status")
