"""One copy between this machine and one pod: lists of both sides, only what differs in one stream, then the switch."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Protocol

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.copy import agent
from sdsk8s.backends.kubernetes.copy.agent_client import Agent
from sdsk8s.backends.kubernetes.exec import V4, V5, NotStarted
from sdsk8s.backends.kubernetes.retry import Backoff
from sdsk8s.backends.kubernetes.websocket import BLOCK, Cut
from sdsk8s.errors import ClusterError, StepError
from sdsk8s.model import kube
from sdsk8s.model.copying import (
    MAX_BYTES,
    CopyPlan,
    Deletions,
    Entry,
    Listing,
    candidates,
    check_target,
    chosen,
    copy_plan,
    parse_listing,
)
from sdsk8s.model.readiness import why_not_ready

_TRIES = 6
_CACHE = 32 * 1024 * 1024


class Progress(Protocol):
    def planned(self, pod: str, plan: CopyPlan) -> None: ...
    def moved(self, pod: str, size: int, name: str) -> None: ...
    def note(self, pod: str, text: str) -> None: ...


@dataclass(frozen=True)
class Settings:
    """What the operator asked for. within: top folders that delete is limited to; keep: never deleted."""

    delete: bool = False
    dry_run: bool = False
    skip_links: bool = False
    max_bytes: int = MAX_BYTES
    within: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    protocols: tuple[str, ...] = (V5, V4)
    token: str = field(default_factory=lambda: os.urandom(8).hex())


@dataclass(frozen=True)
class PodContainer:
    """A container, by the pod's uid: a pod of the same name that comes later is another one."""

    pod: str
    container: str
    uid: str


@dataclass(frozen=True)
class Outcome:
    """how: the kind of switch; "" when nothing had to change. digests: {path: sha256} of what moved."""

    pod: str
    path: str
    plan: CopyPlan
    how: str = ""
    seconds: float = 0.0
    tries: int = 1
    protocol: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)


class CopySource:
    """Local files that go to one or many pods: listed, hashed and read once, while agents start in the pods.

    What is wrong with them is raised by `listing`, to everybody who asks for it.
    """

    def __init__(self, find: Callable[[], tuple[Listing, Mapping[str, str]]]) -> None:
        """find: lists them, and says where each path is."""
        self._find = find
        self._listed = threading.Event()
        self._error: Exception | None = None
        self._contents: dict[str, bytes] = {}
        self._digests: dict[str, bytes] = {}
        self._payloads: dict[tuple[str, ...], bytes] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._begin, daemon=True).start()

    @staticmethod
    def of(path: Path, settings: Settings) -> CopySource:
        def find() -> tuple[Listing, Mapping[str, str]]:
            found = parse_listing(agent.listing(str(path)), str(path))
            kept = chosen(found, str(path), skip_links=settings.skip_links, limit=settings.max_bytes)
            return kept, {p: os.path.join(found.real, p) if p else found.real for p in kept.entries}

        return CopySource(find)

    def _begin(self) -> None:
        """List, then read and hash small trees: one reading serves comparing and sending."""
        try:
            self._listing, self._paths = self._find()
            self._small = sum(e.size + 32 for e in self._listing.entries.values()) <= _CACHE
        except Exception as err:
            self._error = err
        finally:
            self._listed.set()
        if self._error is None and self._small:
            self.digests([p for p, e in self._listing.entries.items() if e.kind == "f"])

    @property
    def listing(self) -> Listing:
        self._listed.wait()
        if self._error is not None:
            raise self._error
        return self._listing

    def digests(self, paths: Sequence[str]) -> list[bytes]:
        self._listed.wait()
        with self._lock:
            for p in paths:
                if p not in self._digests:
                    self._digests[p] = self._read(p) if self._small else self._digest(p)
            return [self._digests[p] for p in paths]

    def _digest(self, path: str) -> bytes:
        return agent.digest(self._paths[path], "", self.listing.entries[path].size)

    def _read(self, path: str) -> bytes:
        """Keep the contents too; 32 zero bytes when they cannot be read or are not of the size that was listed."""
        size = self.listing.entries[path].size
        try:
            with open(self._paths[path], "rb", buffering=0) as file:
                data = file.read(size + 1) or b""
        except OSError:
            return bytes(32)
        if len(data) != size:
            return bytes(32)
        self._contents[path] = data
        return hashlib.sha256(data).digest()

    def payload(self, files: Sequence[Entry]) -> bytes | None:
        """Contents and digests of small copies as they are sent, made once for all pods; None when it is too much."""
        if sum(e.size + 32 for e in files) > _CACHE:
            return None
        key = tuple(e.path for e in files)
        with self._lock:
            if key not in self._payloads:
                self._payloads[key] = b"".join(part for e in files for part in self._whole(e))
            return self._payloads[key]

    def _whole(self, e: Entry) -> tuple[bytes, bytes]:
        """Contents and digest of a file; of one that changes meanwhile a digest that does not fit."""
        if e.path not in self._contents:
            blocks: list[bytes] = []
            agent.send(self._paths[e.path], "", e.size, 0, lambda block: blocks.append(bytes(block)))
            self._digests[e.path] = blocks.pop()
            return b"".join(blocks), self._digests[e.path]
        return self._contents[e.path], self._digests[e.path]

    def _open(self, path: str) -> FileIO:
        try:
            return open(self._paths[path], "rb", buffering=0)
        except OSError as err:
            raise StepError(
                "the file can no longer be read", target=self._paths[path], words=str(err.strerror),
                next="run the same copy again: data that has arrived is not sent again",
            ) from None  # fmt: skip

    def known(self, paths: Sequence[str]) -> dict[str, str]:
        return {p: self._digests[p].hex() for p in paths if p in self._digests}

    def send(self, e: Entry, offset: int, far: Agent, moved: Callable[[int, str], None]) -> None:
        """One large file from offset on, from its buffer to the socket."""
        sha = hashlib.sha256()
        with self._open(e.path) as file:
            left = offset
            while left and (block := file.read(min(left, 8 * BLOCK))):
                sha.update(block)
                left -= len(block)
            left = e.size - offset
            while left:
                block = far.stream.fill(file, left)
                if not block:
                    raise StepError("the file became shorter while it was copied", target=self._paths[e.path])
                sha.update(block)
                left -= len(block)
                moved(len(block), e.path)
                if far.stream.waiting():
                    far.answer()  # it says nothing before the end, unless something failed
        far.stream.write(sha.digest())
        self._digests[e.path] = sha.digest()


def upload(
    cluster: Cluster, to: PodContainer, source: CopySource, path: str, settings: Settings, progress: Progress,
    allowed: Callable[[str], int], begin: Callable[[], None] = lambda: None,
) -> Outcome:  # fmt: skip
    """Copy into one pod. allowed: bytes that may be written to the path that is really written to, or RefusedError.

    begin: called before anything is changed, and only when something is going to be.
    """

    def once() -> Outcome:
        far = Agent(cluster, to.pod, to.container, settings.protocols)
        try:
            target = far.look(path)
            target = replace(target, free=min(target.free, allowed(target.real)))
            where = f"{far.stream.where}: {path}"
            same = _equal(source.listing, target, source.digests, far)
            deletions = Deletions(settings.delete, settings.within, settings.keep, bytecode=True)
            plan = copy_plan(source.listing, target, same, where, deletions)
            check_target(plan, target, where)
            progress.planned(to.pod, plan)
            how = ""
            if not settings.dry_run and not plan.empty:
                begin()
                how = _push(far, source, plan, settings, target, to.pod, progress)
            far.bye()
            moved = source.known([e.path for e in plan.files])
            return Outcome(to.pod, target.real, plan, how, protocol=far.stream.protocol, digests=moved)
        finally:
            far.stream.shut()

    return _persist(cluster, to, once, progress)


def _push(
    far: Agent, source: CopySource, plan: CopyPlan, settings: Settings, to: Listing, pod: str, progress: Progress
) -> str:
    staged = far.open(settings.token)
    todo = [(e, _offset(staged, e)) for e in plan.files if not staged or staged.get(e.key) != -1]
    payload = source.payload([e for e, _ in todo]) if todo and not any(o for _, o in todo) else None
    # What is soon sent again needs no staging that outlives a cut: small new trees are laid out at once.
    laid = payload is not None and not staged and not to.kind and source.listing.kind == "d"
    if todo:
        far.ask(
            do="put", lay=[e.path for e in plan.dirs] if laid else None,
            files=[[e.path if laid else e.key, e.size, o, e.mode, e.mtime, e.path] for e, o in todo],
        )  # fmt: skip
        if payload is not None:
            for start in range(0, len(payload), BLOCK):
                far.stream.write(memoryview(payload)[start : start + BLOCK])
                progress.moved(pod, min(BLOCK, len(payload) - start), todo[0][0].path)
                if far.stream.waiting():
                    break  # an error; the answer below says which
        else:
            for e, offset in todo:
                source.send(e, offset, far, lambda size, name: progress.moved(pod, size, name))
        far.stream.flush()
    return far.commit(plan, laid=laid, put=bool(todo))


def download(
    cluster: Cluster, of: PodContainer, path: str, to: Path, settings: Settings, progress: Progress
) -> Outcome:
    """Copy out of one pod. Whatever it sends is checked; it can name no place outside of `to`."""

    def once() -> Outcome:
        far = Agent(cluster, of.pod, of.container, settings.protocols)
        try:
            far.ask(do="list", path=path)
            near = parse_listing(agent.listing(str(to)), str(to))
            where = f"{far.stream.where}: {path}"
            source = harmless(chosen(
                far.listed(), where, skip_links=settings.skip_links, limit=settings.max_bytes
            ))  # fmt: skip

            def mine(paths: Sequence[str]) -> list[bytes]:
                return [agent.digest(near.real, p, near.entries[p].size) for p in paths]

            same = _equal(source, near, mine, far)
            plan = copy_plan(source, near, same, str(to), Deletions(settings.delete))
            check_target(plan, near, str(to))
            progress.planned(of.pod, plan)
            how = ""
            digests: dict[str, str] = {}
            if not settings.dry_run and not plan.empty:
                how, digests = _pull(far, source, near.real, plan, settings, of.pod, progress)
            far.bye()
            return Outcome(of.pod, near.real, plan, how, protocol=far.stream.protocol, digests=digests)
        finally:
            far.stream.shut()

    return _persist(cluster, of, once, progress)


def _pull(
    far: Agent, source: Listing, real: str, plan: CopyPlan, settings: Settings, pod: str, progress: Progress
) -> tuple[str, dict[str, str]]:
    stage = agent.stage_of(real)
    digests: dict[str, str] = {}
    try:
        held = agent.lock(stage, settings.token)
        with held:
            staged = agent._staged(stage)
            todo = [(e, _offset(staged, e)) for e in plan.files if staged.get(e.key) != -1]
            far.ask(do="send", files=[[source.index[e.path], o] for e, o in todo])
            for e, offset in todo:
                name = e.path or os.path.basename(real)

                def fill(view: memoryview, name: str = name) -> int:
                    if far.stream.into(view) < len(view):
                        raise far.stream.early()
                    progress.moved(pod, len(view), name)
                    return len(view)

                digests[e.path] = agent.receive(stage, e.key, e.size, offset, e.mode, e.mtime, fill, name).hex()
            return agent.commit(real, stage, plan.as_commit()), digests
    except agent.CopyFault as err:
        raise StepError("the copy failed", target=real, words=str(err)) from None
    except OSError as err:
        raise StepError("the copy failed on this machine", target=real, words=str(err)) from None


def harmless(source: Listing) -> Listing:
    """Without set-uid, set-gid and sticky bits: they have no business on the operator's machine."""
    return replace(source, entries={p: replace(e, mode=e.mode & 0o777) for p, e in source.entries.items()})


def _equal(source: Listing, target: Listing, mine: Callable[[Sequence[str]], list[bytes]], far: Agent) -> set[str]:
    """Paths of equal content. The pod hashes while we do. `index` of the side that is in the pod is used."""
    paths = candidates(source, target)
    if not paths:
        return set()
    there = far.hash([far.index[p] for p in paths])
    here = mine(paths)
    return {p for p, a, b in zip(paths, here, there(), strict=True) if a == b and any(a)}


def _offset(staged: Mapping[str, int], e: Entry) -> int:
    have = staged.get(e.key, 0)
    return have if 0 < have <= e.size and e.size > agent.SMALL else 0


def _persist(cluster: Cluster, to: PodContainer, once: Callable[[], Outcome], progress: Progress) -> Outcome:
    """Again after a cut connection, from where it broke off; not when the pod was deleted."""
    start, tries, silent, backoff = time.monotonic(), 0, 0, Backoff(first=0.3, longest=5.0)
    while True:
        tries += 1
        try:
            return replace(once(), seconds=round(time.monotonic() - start, 3), tries=tries)
        except NotStarted as err:
            raise StepError(
                "cannot copy: the container has no python3, which a copy needs",
                target=err.target, words=err.words,
                next="use --container NAME for a container of the pod with python3 and the same volume",
            ) from None  # fmt: skip
        except Cut as err:
            _still_there(cluster, to, err)
            silent += err.silent
            if tries == _TRIES or silent == 2:
                raise
            progress.note(to.pod, f"{err.what}{f' ({err.words})' if err.words else ''}; going on")
            backoff.pause(float("inf"))


def _still_there(cluster: Cluster, to: PodContainer, cut: Cut) -> None:
    try:
        pod = cluster.get("Pod", to.pod)
    except ClusterError:
        return
    ended = pod is not None and kube.finished(pod)
    if pod is None or ended or kube.deleted(pod) or kube.uid(pod) != to.uid:
        why = ": ".join(why_not_ready(pod)).rstrip(": ") if pod is not None and ended else ""
        raise StepError(
            "the pod was deleted during the copy" if not ended else "the pod ended during the copy",
            target=f"pod {to.pod}", words=why or cut.words, next="sdsk8s status, then run the same copy again",
        ) from None  # fmt: skip
