"""Commands in containers, over the API server's WebSocket: as a stream of any length, or run to their end."""

from __future__ import annotations

import logging
import re
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.failures import ApiError, status_of
from sdsk8s.backends.kubernetes.websocket import BLOCK, Cut, WebSocket
from sdsk8s.errors import ClusterError
from sdsk8s.model import kube

log = logging.getLogger("sdsk8s.exec")
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_LIMIT = 4 * 1024 * 1024
_WORDS = 64 * 1024
_SHOWN = 300
_GONE = re.compile(r"container not found|not running|stopped (container|state)|task \S+ not found", re.I)
"""What runtimes and kubelets say of a container that has ended, and not of a program that it does not have."""


class NotStarted(ClusterError):
    """The command could not be started: the container has no such program."""


@dataclass(frozen=True)
class Command:
    """A command of a container. stdin: it gets input; protocols: what we ask for."""

    pod: str
    container: str
    argv: Sequence[str]
    stdin: bool = True
    protocols: Sequence[str] = (V5, V4)

    @property
    def where(self) -> str:
        return f"pod {self.pod}, container {self.container}"


class Stream(WebSocket):
    """A command as bytes in both directions. `code` is its exit code once its output has been read to the end."""

    def __init__(
        self, cluster: Cluster, command: Command, *, limit: int = _WORDS, deadline: float | None = None
    ) -> None:
        """limit: bytes of its standard error that are kept; deadline: when to give up, in time.monotonic()'s seconds.

        ApiError when the server refuses to run it.
        """
        self.code: int | None = None
        self.stderr = bytearray()
        self.cut = False
        self._limit = limit
        self._status = bytearray()
        self._message = ""
        query = [("container", command.container), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if command.stdin else []
        query += [("command", word) for word in command.argv]
        log.debug("%s: run %s", command.where, shlex.join(command.argv)[:_SHOWN])
        patience = float("inf") if deadline is None else deadline - time.monotonic()
        try:
            reply = cluster.connection.switch(
                cluster.path("Pod", command.pod, "exec") + "?" + urlencode(query), command.protocols, patience
            )
        except ApiError as err:
            if err.code in (400, 404, 500):  # pod or container unknown, not running yet, or gone
                err.what, err.next = "the command could not be started", "sdsk8s status"
            raise
        super().__init__(reply, cluster.connection.secure, command.where, _STDOUT)
        self.protocol = reply.protocol
        self.deadline = deadline

    def close_input(self) -> None:
        """Tell the command that its input has ended; only v5 can."""
        self.flush()
        if self.protocol == V5:
            self._room[0] = _STDIN
            self.frame(_CLOSE, 1)

    def rest(self, limit: int = 1 << 20) -> bytes:
        """What is left of the output, of which at most `limit` bytes are kept; `code` is known then."""
        out = bytearray()
        while found := self.some(BLOCK):
            room = max(0, limit - len(out))
            self.cut = self.cut or len(found) > room
            out += found[:room]
        return bytes(out)

    def early(self) -> ClusterError:
        """The error for a command that ended before all of its answer was there."""
        if self.code is None and not self._message:
            return super().early()
        return ClusterError(
            f"the command in the pod ended early (exit code {self.code})", target=self.where,
            words=self.said() or self._message,
        )  # fmt: skip

    def said(self) -> str:
        return bytes(self.stderr).decode(errors="replace").strip()

    def other(self, channel: int, data: memoryview) -> None:
        if channel == _ERROR and len(self._status) < _WORDS:
            self._status += data
        elif channel == _STDERR:
            room = max(0, self._limit - len(self.stderr))
            self.cut = self.cut or len(data) > room
            self.stderr += data[:room]

    def complete(self) -> bool:
        return bool(self._status)

    def finish(self) -> None:
        if not self._status:
            raise Cut("the connection was cut", target=self.where, words=self.said())
        status = status_of(bytes(self._status))
        causes = (status.get("details") or {}).get("causes") or ()
        code = next((str(c.get("message", "")) for c in causes if c.get("reason") == "ExitCode"), "")
        if status.get("status") == "Success":
            self.code = 0
        elif code.lstrip("-").isdigit():
            self.code = int(code)
        else:
            self._message = str(status.get("message") or "the command ended without an exit code")
            if _GONE.search(self._message):
                raise Cut("the container is not running", target=self.where, words=self._message)
            raise NotStarted("the command could not be run", target=self.where, words=self._message)
        log.debug("%s: exit code %d", self.where, self.code)


@dataclass(frozen=True)
class ExecResult:
    """code is the command's exit code; of each stream the first 4 MiB are kept, `cut` says that there was more."""

    code: int
    stdout: bytes
    stderr: bytes
    cut: bool = False


def exec_(
    cluster: Cluster,
    pod: str,
    container: str,
    argv: list[str],
    stdin: bytes | None = None,
    timeout: float = 60,
) -> ExecResult:
    """Run argv in a container and wait for its end. ClusterError when it cannot be started or takes too long.

    stdin needs the exec protocol v5: earlier ones cannot say that the input has ended. The command should read all
    of it: API servers lose the exit code of one that does not, now and then (kubectl hangs there).
    """
    command = Command(pod, container, argv, stdin=stdin is not None)
    stream = Stream(cluster, command, limit=_LIMIT, deadline=time.monotonic() + timeout)
    try:
        if stdin is not None:
            _feed(stream, stdin)
        out = stream.rest(_LIMIT)
    except Cut as err:
        if err.silent:
            raise ClusterError(f"the command did not end within {timeout:.0f} s", target=stream.where) from None
        err.what, err.next = _why(cluster, pod, err), f"kubectl -n {cluster.namespace} get pod {pod}"
        raise
    except NotStarted as err:
        err.next = f"kubectl -n {cluster.namespace} get pod {pod}"
        raise
    finally:
        stream.shut()
    return ExecResult(stream.code or 0, out, bytes(stream.stderr), stream.cut)


def _feed(stream: Stream, stdin: bytes) -> None:
    if stream.protocol != V5:
        raise ClusterError(
            "this API server cannot take input for a command", target=stream.where,
            words=f"it offers {stream.protocol}, expected {V5} (Kubernetes 1.30 or later)",
        )  # fmt: skip
    stream.duplex = True
    try:
        stream.write(stdin)
        stream.close_input()
    except Cut as err:
        if err.silent:
            raise
        # Otherwise the command has ended without reading all of it: its exit code tells.


def _why(cluster: Cluster, pod: str, err: Cut) -> str:
    try:
        found = cluster.get("Pod", pod)
    except ClusterError:
        found = {}
    if found is None or kube.deleted(found):
        return "the pod was deleted during the command"
    return "the connection to the command was cut" if err.what == "the connection was cut" else err.what
