"""Commands in containers, over the API server's WebSocket."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kubernetes.stream.ws_client import STDERR_CHANNEL, STDOUT_CHANNEL, WSClient

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.kinds import path
from sdsk8s.errors import ClusterError

_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True)
class ExecResult:
    """code is the command's exit code; output beyond 4 MiB per stream is cut."""

    code: int
    stdout: bytes
    stderr: bytes


def exec_(
    cluster: Cluster, pod: str, container: str, argv: list[str], *, stdin: bytes | None = None, timeout: float = 60
) -> ExecResult:
    """Run argv in a container and wait for its end. ClusterError when it cannot be started or takes too long.

    stdin needs the exec protocol v5: earlier ones cannot say that the input has ended.
    """
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if stdin is not None else []
    query += [("command", word) for word in argv]
    url = cluster.host + path("Pod", cluster.namespace, pod, "exec") + "?" + urlencode(query)
    where = f"pod {pod}, container {container}"
    try:
        socket = WSClient(cluster.configuration, _websocket(url), cluster.auth_headers(), False, binary=True)
    except Exception as err:  # the handshake fails with classes of three libraries
        raise ClusterError("the command could not be started", target=where, words=_words(err)) from None
    try:
        if stdin is not None:
            if socket.subprotocol != "v5.channel.k8s.io":
                raise ClusterError(
                    "this API server cannot take input for a command", target=where,
                    words=f"it offers {socket.subprotocol}, v5.channel.k8s.io is needed (Kubernetes 1.30 or later)",
                )  # fmt: skip
            for start in range(0, len(stdin), 65536):
                socket.write_stdin(stdin[start : start + 65536])
            socket.close_channel(0)
        return _collect(socket, where, timeout)
    finally:
        socket.close()


def _collect(socket: Any, where: str, timeout: float) -> ExecResult:
    out: dict[int, bytearray] = {STDOUT_CHANNEL: bytearray(), STDERR_CHANNEL: bytearray()}
    deadline = time.monotonic() + timeout
    while socket.is_open():
        socket.update(timeout=1)
        _drain(socket, out)
        if time.monotonic() > deadline:
            raise ClusterError(f"the command did not end within {timeout:.0f} s", target=where)
    _drain(socket, out)
    code = socket.returncode
    if code is None:
        raise ClusterError("the connection to the command was cut", target=where)
    stderr = bytes(out[STDERR_CHANNEL])
    return ExecResult(int(code), bytes(out[STDOUT_CHANNEL]), stderr)


def _drain(socket: Any, out: dict[int, bytearray]) -> None:
    for channel, buffer in out.items():
        data = socket.read_channel(channel) if socket.peek_channel(channel) else b""
        data = data if isinstance(data, bytes) else str(data).encode()
        if len(buffer) < _LIMIT:
            buffer += data[: _LIMIT - len(buffer)]


def _websocket(url: str) -> str:
    return "ws" + url.removeprefix("http")


def _words(err: Exception) -> str:
    body = getattr(err, "body", None) or getattr(err, "resp_body", None)
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or err)
    return text[:800]
