"""The step types: what a Plan is made of. Data only; a step knows its words, a back end knows how to do it.

Every step has `title()` (one line), `kubectl()` (the nearest line to type by hand) and `undo()` (how to go back).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sdsk8s.model import kube
from sdsk8s.model.names import REPLICAS
from sdsk8s.model.supervisord import supervisorctl
from sdsk8s.model.text import count, size

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """backend: the room of sdsk8s/backends that carries it out."""

    backend: ClassVar[str] = "kubernetes"
    reason: str

    def title(self) -> str:
        raise NotImplementedError

    def by_hand(self, namespace: str) -> str:
        raise NotImplementedError

    def undo(self) -> str:
        return "nothing to undo"


@dataclass(frozen=True)
class Build(Step):
    """Build image `image` as `ref`, unless the registry has it; push it; remember its digest."""

    backend: ClassVar[str] = "docker"
    image: str
    ref: str

    def title(self) -> str:
        return f"build and push {self.ref}"

    def by_hand(self, namespace: str) -> str:
        return f"docker build -t {self.ref} . && docker push {self.ref}"

    def undo(self) -> str:
        return "nothing to undo: an unused image does no harm"


@dataclass(frozen=True)
class Apply(Step):
    """Server-side apply of one object; image references are pinned to the digests of earlier Build steps."""

    obj: Object
    change: Literal["create", "update"]

    def title(self) -> str:
        replicas = kube.spec(self.obj).get("replicas")
        tail = "" if replicas is None else f" (replicas {replicas})"
        return f"{self.change} {kube.title(self.obj)}{tail}"

    def by_hand(self, namespace: str) -> str:
        kind, name = kube.key(self.obj)
        return f"kubectl -n {namespace} apply --server-side -f {kind.lower()}-{name}.yaml  # from `sdsk8s render`"

    def undo(self) -> str:
        title = kube.title(self.obj)
        return f"delete {title}" if self.change == "create" else f"apply the earlier {title}"


@dataclass(frozen=True)
class Scale(Step):
    """Set replicas; `record` is written to the annotation that the next start reads, in the same request."""

    kind: str
    name: str
    before: int
    replicas: int
    record: int | None = None

    def title(self) -> str:
        if self.replicas == 0:
            return f"stop {self.kind}/{self.name} ({count(self.before, 'pod')})"
        if self.before == 0:
            return f"start {self.kind}/{self.name} ({count(self.replicas, 'pod')})"
        return f"scale {self.kind}/{self.name} {self.before} -> {self.replicas}"

    def by_hand(self, namespace: str) -> str:
        what = f"{self.kind.lower()}/{self.name}"
        scale = f"kubectl -n {namespace} scale {what} --replicas={self.replicas}"
        if self.record is None:
            return scale
        return f"kubectl -n {namespace} annotate --overwrite {what} {REPLICAS}={self.record} && {scale}"

    def undo(self) -> str:
        return f"scale {self.kind}/{self.name} to {self.before}"


@dataclass(frozen=True)
class WaitReady(Step):
    """Until the rollout is complete: newest revision, all replicas ready."""

    kind: str
    name: str

    def title(self) -> str:
        return f"wait until {self.kind}/{self.name} is ready"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} rollout status {self.kind.lower()}/{self.name}"


@dataclass(frozen=True)
class WaitGone(Step):
    """Until no pod of the selector is left. of: the name of what is stopped, for people."""

    selector: str
    of: str

    def title(self) -> str:
        return f"wait until all {self.of} pods have ended"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} wait --for=delete pod -l {self.selector}"


@dataclass(frozen=True)
class WaitJob(Step):
    """Until the Job has succeeded."""

    name: str

    def title(self) -> str:
        return f"wait until Job/{self.name} has succeeded"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} wait --for=condition=complete job/{self.name}"


@dataclass(frozen=True)
class Delete(Step):
    kind: str
    name: str

    def title(self) -> str:
        return f"delete {self.kind}/{self.name}"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} delete {self.kind.lower()}/{self.name}"

    def undo(self) -> str:
        return "cannot be undone"


@dataclass(frozen=True)
class Exec(Step):
    """Run a command in one ready pod of the selector. Secrets come from the pod's own environment."""

    selector: str
    container: str
    command: tuple[str, ...]

    def title(self) -> str:
        return self.reason

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} exec POD_OF[{self.selector}] -c {self.container} -- {shlex.join(self.command)}"

    def undo(self) -> str:
        return "cannot be undone"


@dataclass(frozen=True)
class Pack(Step):
    """Write a queue's archive and its sha256 beside it. files: (path, bytes, mode); size: bytes unpacked."""

    backend: ClassVar[str] = "bundles"
    file: str
    content: str
    size: int
    files: tuple[tuple[str, int, str], ...]

    def title(self) -> str:
        return f"pack {self.file}: {count(len(self.files), 'file')}, {size(self.size)}, id {self.content}"

    def by_hand(self, namespace: str) -> str:
        return f"tar -cjf {self.file} FILES && sha256sum {self.file}"

    def undo(self) -> str:
        return "nothing to undo: an unused archive does no harm"


@dataclass(frozen=True)
class Upload(Step):
    """Put a packed archive into a bucket: under another key first, then in place of the one that is there."""

    backend: ClassVar[str] = "bundles"
    file: str
    content: str
    bucket: str
    key: str
    encrypt: bool

    def title(self) -> str:
        tail = ", encrypted by the server" if self.encrypt else ""
        return f"upload s3://{self.bucket}/{self.key}{tail}"

    def by_hand(self, namespace: str) -> str:
        sse = " --sse" if self.encrypt else ""
        return f"aws s3 cp {self.file} s3://{self.bucket}/{self.key}{sse}"

    def undo(self) -> str:
        return "ship the earlier tree again"


@dataclass(frozen=True)
class RemoveImage(Step):
    """Remove an image from where it is stored: `registry` (ref by digest, all of its tags go) or `engine` (a tag)."""

    backend: ClassVar[str] = "docker"
    where: str
    ref: str

    def title(self) -> str:
        return f"remove {self.ref} from the {self.where}"

    def by_hand(self, namespace: str) -> str:
        return f"docker image rm {self.ref}" if self.where == "engine" else f"crane delete {self.ref}"

    def undo(self) -> str:
        return "build it again from the same tree: sdsk8s images push"


@dataclass(frozen=True)
class Push(Step):
    """Push a packed archive to the registry as an artifact; remember its digest."""

    backend: ClassVar[str] = "bundles"
    file: str
    content: str
    ref: str
    encrypt: bool

    def title(self) -> str:
        return f"push {self.ref}{', encrypted' if self.encrypt else ''}"

    def by_hand(self, namespace: str) -> str:
        return f"oras push {self.ref} {self.file}"

    def undo(self) -> str:
        return "nothing to undo: an unused bundle does no harm"


@dataclass(frozen=True)
class CloudCall(Step):
    """One request to a cloud service, by boto3's names of operation and parameters.

    content: bytes that go into the parameter `into` (`Body`, `ZipFile`, `Code.ZipFile`); file: what they are called.
    """

    backend: ClassVar[str] = "aws"
    words: str
    service: str
    operation: str
    params: Mapping[str, Any]
    back: str = ""
    content: bytes = field(default=b"", repr=False)
    into: str = ""
    file: str = ""

    def title(self) -> str:
        return self.words

    def by_hand(self, namespace: str) -> str:
        service = {"s3": "s3api"}.get(self.service, self.service)
        words = ["aws", service, self.operation.replace("_", "-")]
        if self.into:
            words += ["--body", self.file] if self.into == "Body" else ["--zip-file", f"fileb://{self.file}"]
        return shlex.join([*words, "--cli-input-json", json.dumps(self.params)])

    def undo(self) -> str:
        return self.back or "nothing to undo"


@dataclass(frozen=True)
class Restart(Step):
    """New pods for a workload; its spec stays as it is but for a time in the pod template."""

    kind: str
    name: str

    def title(self) -> str:
        return f"restart {self.kind}/{self.name}"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} rollout restart {self.kind.lower()}/{self.name}"


@dataclass(frozen=True)
class Supervise(Step):
    """restart, stop or start programs of one pod's supervisord. programs: its names, `GROUP:PROCESS`."""

    pod: str
    container: str
    action: str
    programs: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        return supervisorctl(self.action, *self.programs)

    def title(self) -> str:
        return f"{self.action} {' '.join(self.programs)} in {self.pod}"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} exec {self.pod} -c {self.container} -- {shlex.join(self.command)}"


@dataclass(frozen=True)
class Unstick(Step):
    """Delete pods of a StatefulSet that are of another than its newest revision and not ready."""

    kind: str
    name: str

    def title(self) -> str:
        return f"delete pods of {self.kind}/{self.name} that never became ready"

    def by_hand(self, namespace: str) -> str:
        pods = f"the pods of {self.name} that are not ready"
        return f"kubectl -n {namespace} get pods -L controller-revision-hash  # then delete {pods}"


@dataclass(frozen=True)
class Record(Step):
    """Keep what was applied as the component's next revision; images by digest.

    trees: {image: {source file: hash}}, None for "as before"
    """

    component: str
    objects: tuple[Object, ...]
    trees: Mapping[str, Mapping[str, str]] | None = None

    def title(self) -> str:
        return f"record the revision of {self.component}"

    def by_hand(self, namespace: str) -> str:
        return f"kubectl -n {namespace} get secrets -l sdsk8s/history={self.component}  # sdsk8s writes the next"


@dataclass(frozen=True)
class Group:
    """Steps under one heading, one after the other or in parallel."""

    title: str
    children: tuple[Node, ...]
    parallel: bool = False


Node = Step | Group


@dataclass(frozen=True)
class Plan:
    """What a verb is going to do. `notes` are sentences for the operator; no steps means nothing to do."""

    verb: str
    target: str
    namespace: str
    root: Group
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """Lines on what the plan changes in trees and configuration, against what was rolled out last."""

    def steps(self) -> list[Step]:
        return list(walk(self.root))

    @property
    def empty(self) -> bool:
        return not self.steps()


def walk(node: Node) -> Iterator[Step]:
    """Every step in plan order."""
    if isinstance(node, Group):
        for child in node.children:
            yield from walk(child)
    else:
        yield node


def group(title: str, children: list[Node], *, parallel: bool = False) -> list[Node]:
    """A group around the children, or nothing when there are none."""
    return [Group(title, tuple(children), parallel)] if children else []
