"""The one connection to an API server: credentials, TLS, proxy, bounded repetition; requests, streams and WebSockets.

Knows nothing of kinds and objects. Every verb, copy, command, log and forward goes through here.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from sdsk8s.backends.kubernetes.failures import ApiError, is_tls, never_sent, refused, status_of, true_code, unreachable
from sdsk8s.backends.kubernetes.library import RESTClientObject, urllib3
from sdsk8s.backends.kubernetes.proxy import shown
from sdsk8s.backends.kubernetes.retry import Backoff
from sdsk8s.errors import ClusterError

log = logging.getLogger("sdsk8s.kubernetes")
AGENT = "sdsk8s"
JSON = "application/json"
RETRY_SECONDS = 15.0
# Until the server has answered once, a wrong address is likelier than a restart: nobody waits long for that.
FIRST_SECONDS = 5.0
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_SWITCH_SECONDS = 10
# A server that is gone without a word (a node lost, a VPN closed) is noticed after half a minute, by watches too.
_KEEPALIVE = [
    *urllib3.connection.HTTPConnection.default_socket_options,
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, option), value)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
        if hasattr(socket, option)
    ),
]

Load = Callable[[], Any]
"""Reads the credentials again: the package's Configuration. ClusterError when they cannot be had."""


@dataclass(frozen=True)
class Reply:
    """An answer that we have read ourselves. socket: of a WebSocket, which the server speaks from here on."""

    status: int
    headers: Mapping[str, str]
    data: bytes = b""
    socket: Any = None
    protocol: str = ""


class Connection:
    """Safe to use from several threads. Watches, logs and WebSockets hold a socket each."""

    def __init__(self, configuration: Any, load: Load | None = None) -> None:
        """configuration: of the `kubernetes` package; load: reads it again when its credentials are refused."""
        self._load = load
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        self._generation = 0
        self._answered = False
        self._skew = timedelta()
        self._hint = ""
        self._use(configuration)

    def _use(self, configuration: Any) -> None:
        configuration.socket_options = _KEEPALIVE
        self.configuration = configuration
        self._client = RESTClientObject(configuration)

    @property
    def host(self) -> str:
        return str(self.configuration.host).rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether TLS protects what is sent."""
        return self.host.startswith("https:")

    @property
    def _where(self) -> str:
        proxy = self.configuration.proxy
        return f"{self.host} through the proxy {shown(proxy)}" if proxy else self.host

    def now(self) -> datetime:
        """The server's clock, to a second: operators' machines need not agree on the time."""
        return datetime.now(UTC) + self._skew

    # -- requests --------------------------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
        retry: bool = True,
    ) -> dict[str, Any]:
        """One JSON request, tried again for a bounded time. retry False: only when the server has not acted on it."""
        if query:
            url += "?" + urlencode(query)
        response = self._persist(
            method, url, lambda: self._raw(method, url, body=body, content=content, accept=accept), retry=retry
        )
        try:
            parsed = json.loads(response.data) if response.data else {}
            if not isinstance(parsed, dict):
                raise ValueError
        except ValueError:
            raise ApiError(
                "the API server's answer is not a JSON object", code=int(response.status), reason="",
                target=f"{method} {url} at {self._where}", words=bytes(response.data).decode(errors="replace")[:300],
                next="check `server` and proxies in the kubeconfig: kubectl config view",
            ) from None  # fmt: skip
        return parsed

    def stream(self, url: str, *, query: Mapping[str, str], read_timeout: float | None) -> Any:
        """An open GET whose body is read with lines(). The caller closes it."""
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout)
        url += "?" + urlencode(query)
        return self._persist("GET", url, lambda: self._raw("GET", url, timeout=timeout, keep=True))

    def once(self, method: str, url: str, timeout: float) -> tuple[int, bytes]:
        """(status, body) of one try, whatever the status: for what answers behind the API server."""
        began = time.monotonic()
        try:
            response = self._raw(method, url, timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=timeout))
        except urllib3.exceptions.HTTPError as err:
            raise unreachable(err, self._where) from None
        _tell(method, url, response.status, began)
        return int(response.status), bytes(response.data)

    # -- WebSockets ------------------------------------------------------------------------------------------------

    def switch(self, url: str, protocols: Sequence[str], patience: float = float("inf")) -> Reply:
        """A socket that speaks WebSocket by one of these protocols, through the same TLS and proxy as any request.

        Nothing has run in a pod before the answer is there, so a failure is tried again, for `patience` seconds at
        most. ApiError when the server refuses; ClusterError when it cannot be reached.
        """
        reply: Reply = self._persist(
            "GET", url, lambda: self._switch(url, protocols), final=(500,), patience=patience, asked="WebSocket"
        )
        if reply.protocol not in protocols:
            reply.socket.close()
            raise ClusterError(
                "the API server does not support " + " or ".join(p.partition(".")[0] for p in protocols)
                + " of the exec protocol", target=self._where, words=reply.protocol,
            )  # fmt: skip
        return reply

    def _switch(self, url: str, protocols: Sequence[str]) -> Reply:
        headers = {
            "Host": urlsplit(self.host).netloc, "User-Agent": AGENT, **self.auth_headers(),
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": ", ".join(protocols),
        }  # fmt: skip
        raw = self._socket()
        try:
            raw.settimeout(_SWITCH_SECONDS)
            path = urlsplit(self.host).path.rstrip("/") + url
            lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
            raw.sendall("\r\n".join(lines).encode("latin-1"))
            status, found = _read_head(raw)
            if status == 101:
                protocol = found.get("sec-websocket-protocol", "")
                return Reply(status, found, socket=raw, protocol=protocol)
            body = _read_body(raw, found)
        except BaseException:
            raw.close()
            raise
        raw.close()
        return Reply(status, found, body)

    def _socket(self) -> Any:
        """A connected socket of the pool, which is the caller's from now on: an idle one, or a new one."""
        pool = self._client.pool_manager.connection_from_url(self.host)
        if pool.proxy is None:
            made = pool._get_conn()
        else:  # one of its own, as idle ones to a plain server lead to the proxy only
            made, to = pool._new_conn(), urlsplit(self.host)
            made.set_tunnel(
                to.hostname, to.port or (443 if self.secure else 80), pool.proxy_headers,
                scheme="https" if self.secure and pool.proxy.scheme == "https" else "http",
            )  # fmt: skip
        if made.sock is None:
            made.timeout = _CONNECT_SECONDS
            made.connect()
        raw, made.sock = made.sock, None
        return raw

    # -- credentials -----------------------------------------------------------------------------------------------

    def auth_headers(self) -> dict[str, str]:
        """Bearer token or basic login. A plug-in whose credentials are about to expire is run again."""
        with self._lock:  # by one thread, not by eight at once
            settings = self.configuration.auth_settings()
        found = {s["key"].lower(): s["value"] for s in settings.values() if s and s.get("in") == "header"}
        return {k: v for k, v in found.items() if v}

    def _renew(self, used: tuple[int, dict[str, str]]) -> bool:
        """Read the credentials again after a 401 for `used`. False when there are none to read.

        A source that now names another server is not followed: a run must not change clusters on its way.
        """
        if self._load is None:
            return False
        with self._reloading:
            if (self._generation, self.auth_headers()) != used:
                return True  # another thread was faster
            log.debug("the credentials are refused: reading them again")
            try:
                fresh = self._load()
            except Exception as err:
                self._hint = "; ".join(err.lines()) if isinstance(err, ClusterError) else str(err)
                return False
            if str(fresh.host).rstrip("/") != self.host:
                log.debug("the kubeconfig now names %s; this run keeps its cluster", fresh.host)
                return False
            with self._lock:
                self._use(fresh)
                self._generation += 1
            return True

    # -- trying again ----------------------------------------------------------------------------------------------

    def _persist(
        self,
        method: str,
        url: str,
        attempt: Callable[[], Any],
        *,
        retry: bool = True,
        final: Sequence[int] = (),
        patience: float = float("inf"),
        asked: str = "",
    ) -> Any:
        """A successful answer of `attempt`, or the error in an operator's words. final: codes that are not retried."""
        backoff, renewed = Backoff(), False
        while True:
            used = (self._generation, self.auth_headers())
            began = time.monotonic()
            try:
                response = attempt()
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as err:
                again = (retry or never_sent(err)) and not _hopeless(err)
                failure, wanted = unreachable(err, self._where), 0.0
                _tell(method, url, failure.words, began)
            else:
                code = int(response.status)
                _tell(method, url, code, began, asked)
                self._learn(response)
                if code < 300:
                    return response
                if code == 401 and not renewed and self._renew(used):
                    renewed = True
                    continue
                status = status_of(_body(response))
                code = true_code(code, status)
                again = code == 429 or (retry and code >= 500 and code not in final)
                failure = refused(code, status, f"{method} {_path(url)} at {self._where}", self._hint)
                wanted = _seconds(response.headers.get("Retry-After"))
            limit = RETRY_SECONDS if self._answered else FIRST_SECONDS
            if not again or not backoff.pause(min(limit, patience), wanted):
                raise failure
            log.debug("trying again: %s", failure.what)

    def _learn(self, response: Any) -> None:
        self._answered = True
        try:
            # The header has whole seconds, rounded down.
            served = parsedate_to_datetime(str(response.headers["Date"])) + timedelta(seconds=0.5)
            skew = served - datetime.now(UTC)
        except (KeyError, TypeError, ValueError):
            return
        # Below two seconds it is the header's own coarseness; a clock that jitters would be worse.
        self._skew = skew if abs(skew) > timedelta(seconds=2) else timedelta()

    def _raw(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
        timeout: urllib3.Timeout | None = None,
        keep: bool = False,
    ) -> Any:
        headers = {"Accept": accept, "User-Agent": AGENT, **self.auth_headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = content
            data = json.dumps(body).encode()
        return self._client.pool_manager.request(
            method,
            self.host + url,
            headers=headers,
            body=data,
            timeout=timeout or urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            preload_content=not keep,
            redirect=False,
            retries=False,
        )


def _tell(method: str, url: str, outcome: Any, began: float, asked: str = "") -> None:
    if log.isEnabledFor(logging.DEBUG):
        said = f"{asked} {_path(url)}" if asked else url
        log.debug("%s %s: %s in %.0f ms", method, said, outcome, (time.monotonic() - began) * 1000)


def _path(url: str) -> str:
    """Without the query, which holds the words of a command."""
    return url.partition("?")[0]


def _hopeless(err: BaseException) -> bool:
    """What no second try cures: TLS, a certificate file that cannot be read, a proxy that refuses."""
    return (
        is_tls(err)
        or isinstance(err, (FileNotFoundError, PermissionError, IsADirectoryError))
        or "Tunnel connection failed: 4" in str(err)
    )


def _read_head(raw: Any) -> tuple[int, Mapping[str, str]]:
    """(status, headers) of an answer, up to the blank line and no byte further: frames may follow at once."""
    data = bytearray()
    while not data.endswith(b"\r\n\r\n"):
        byte = raw.recv(1)
        if not byte:
            raise ConnectionResetError("the server closed the connection before it answered")
        data += byte
        if len(data) > 65536:
            raise ValueError("the answer is not HTTP")
    first, *found = data.decode("latin-1").split("\r\n")
    pairs = [(k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in found if line)]
    return int(first.split(" ")[1]), urllib3.HTTPHeaderDict(pairs)


def _read_body(raw: Any, headers: Mapping[str, str]) -> bytes:
    body, left = b"", min(int(headers.get("content-length") or 0), 65536)
    while len(body) < left and (more := raw.recv(left - len(body))):
        body += more
    return body


def lines(response: Any, *, partial: bool) -> Iterator[bytes]:
    """Lines of a stream until its end; being cut is an end like any other.

    partial: also what came of the last line (right for logs, wrong for events).
    """
    rest = b""
    try:
        for chunk in response.stream(65536, decode_content=True):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line for line in whole if line)
    except urllib3.exceptions.HTTPError:
        pass
    finally:
        response.close()
    if rest and partial:
        yield rest


def _body(response: Any) -> bytes:
    """Of a refusal, which is short also where a stream was asked for."""
    try:
        return bytes(response.data)
    except urllib3.exceptions.HTTPError as err:
        return str(err).encode()


def _seconds(retry_after: str | None) -> float:
    """Of a Retry-After header; its form as a date is not used by API servers and counts as none."""
    try:
        return max(0.0, float(retry_after or 0))
    except ValueError:
        return 0.0
