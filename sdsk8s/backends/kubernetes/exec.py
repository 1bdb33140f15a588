"""Commands in containers, over the API server's WebSocket."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import websocket

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.failures import ApiError, refused, status_of
from sdsk8s.errors import ClusterError

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_LIMIT = 4 * 1024 * 1024
_FRAME = 64 * 1024
_HANDSHAKE_SECONDS = 10
_CUT = (websocket.WebSocketException, OSError)
_START_SECONDS = 10.0


@dataclass(frozen=True)
class ExecResult:
    """code is the command's exit code; of each stream the first 4 MiB are kept, `cut` says that there was more."""

    code: int
    stdout: bytes
    stderr: bytes
    cut: bool = False


@dataclass
class Session:
    """What the frames of one command add up to. No I/O: fed with frames, asked for a result."""

    limit: int = _LIMIT
    out: dict[int, bytearray] = field(default_factory=lambda: {_STDOUT: bytearray(), _STDERR: bytearray()})
    cut: bool = False
    status: bytearray = field(default_factory=bytearray)

    def feed(self, frame: bytes) -> None:
        """A binary frame: the channel's number, then its bytes."""
        channel, data = (frame[0], frame[1:]) if frame else (_CLOSE, b"")
        if channel == _ERROR:
            self.status += data
        elif channel in self.out:
            kept = self.out[channel]
            room = self.limit - len(kept)
            kept += data[:room]
            self.cut = self.cut or len(data) > room

    def result(self) -> ExecResult | str:
        """The result, or why there is none in the server's words (empty: the connection ended without any)."""
        if not self.status:
            return ""
        status = status_of(bytes(self.status))
        causes = (status.get("details") or {}).get("causes") or ()
        code = next((str(c.get("message", "")) for c in causes if c.get("reason") == "ExitCode"), "")
        if status.get("status") == "Success":
            code = "0"
        if not code.lstrip("-").isdigit():
            return str(status.get("message") or "the command ended without an exit code")
        return ExecResult(int(code), bytes(self.out[_STDOUT]), bytes(self.out[_STDERR]), self.cut)


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
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("stdin", "true")] if stdin is not None else []
    query += [("command", word) for word in argv]
    where = f"pod {pod}, container {container}"
    deadline = time.monotonic() + timeout
    socket = connect_socket(
        cluster, cluster.path("Pod", pod, "exec") + "?" + urlencode(query), where, deadline=deadline
    )
    try:
        if stdin is not None and socket.getsubprotocol() != V5:
            raise ClusterError(
                "this API server cannot take input for a command", target=where,
                words=f"it offers {socket.getsubprotocol()}, {V5} is needed (Kubernetes 1.30 or later)",
            )  # fmt: skip
        session = Session()
        if stdin is not None:
            # Beside the reading: a command that writes while it is fed would block on its full output otherwise.
            threading.Thread(target=_feed, args=(socket, stdin), daemon=True, name="exec-stdin").start()
        _receive(socket, session, where, deadline, timeout)
    finally:
        socket.shutdown()
    result = session.result()
    if isinstance(result, str):
        gone = not result and _gone(cluster, pod)
        raise ClusterError(
            "the pod went away under the command" if gone else
            "the command could not be run" if result else "the connection to the command was cut",
            target=where, words=result, next=f"kubectl -n {cluster.namespace} get pod {pod}",
        )  # fmt: skip
    return result


def _receive(socket: Any, session: Session, where: str, deadline: float, timeout: float) -> None:
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise ClusterError(f"the command did not end within {timeout:.0f} s", target=where)
        socket.settimeout(left)
        try:
            opcode, frame = socket.recv_data_frame(True)
        except websocket.WebSocketTimeoutException:
            continue
        except _CUT:
            return  # without a status frame the result says that it was cut
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return
        if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT):
            session.feed(bytes(frame.data))


def _feed(socket: Any, stdin: bytes) -> None:
    try:
        for start in range(0, len(stdin), _FRAME):
            socket.send_binary(bytes([_STDIN]) + stdin[start : start + _FRAME])
        socket.send_binary(bytes([_CLOSE, _STDIN]))
    except _CUT:
        pass  # the command has ended without reading all of it: its exit code tells


def connect_socket(
    cluster: Cluster, url: str, where: str, protocols: Sequence[str] = (V5, V4), deadline: float = float("inf")
) -> Any:
    """A connected WebSocket. Nothing has run before the handshake is over, so it may be tried again."""
    transport = cluster.transport
    give_up = min(deadline, time.monotonic() + _START_SECONDS)
    renewed, pause = False, 0.3
    while True:
        used = transport.auth_headers()
        try:
            address = "ws" + transport.host.removeprefix("http") + url
            return _connect(transport.configuration, address, used, protocols)
        except websocket.WebSocketBadStatusException as err:
            code = int(err.status_code)
            if code == 401 and not renewed and transport.reload(used):
                renewed = True
                continue
            failure: ClusterError = _refusal(code, status_of(err.resp_body or b""), where)
            again = code in (429, 502, 503, 504)
        except _CUT as err:
            failure = ClusterError(
                "the command could not be started", target=where, words=str(err), next="sdsk8s doctor"
            )
            again = isinstance(err, OSError) and not isinstance(err, ssl.SSLError)
        if not again or time.monotonic() + pause > give_up:
            raise failure
        time.sleep(pause)
        pause = min(pause * 2, 3)


def _refusal(code: int, status: Mapping[str, Any], where: str) -> ApiError:
    err = refused(code, status, where)
    if code in (400, 404, 500):  # pod or container unknown, not running yet, or gone
        err.what = "the command could not be started"
        err.next = "sdsk8s status"
    return err


def _connect(configuration: Any, url: str, headers: Mapping[str, str], protocols: Sequence[str]) -> Any:
    from kubernetes.stream.ws_client import websocket_proxycare

    trust: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if configuration.verify_ssl:
        trust = {"cert_reqs": ssl.CERT_REQUIRED}
        if configuration.ssl_ca_cert:
            trust["ca_certs"] = configuration.ssl_ca_cert
    for option, value in (
        ("certfile", configuration.cert_file),
        ("keyfile", configuration.key_file),
        ("server_hostname", configuration.tls_server_name),
    ):
        if value:
            trust[option] = value
    options: dict[str, Any] = {"header": [f"{k}: {v}" for k, v in headers.items()], "timeout": _HANDSHAKE_SECONDS}
    if configuration.proxy or configuration.proxy_headers:
        options = websocket_proxycare(options, configuration, url, headers)
    socket = websocket.WebSocket(sslopt=trust, skip_utf8_validation=True)
    socket.connect(url, subprotocols=list(protocols), suppress_origin=True, **options)
    return socket


def _gone(cluster: Cluster, pod: str) -> bool:
    try:
        found = cluster.get("Pod", pod)
    except ClusterError:
        return False
    return found is None or bool(found["metadata"].get("deletionTimestamp"))
