"""How to reach the API server: from a plain kubeconfig by ourselves, from any other through the kubernetes library."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from sdsk8s.errors import ClusterError

_SECONDS = 10
_PLAIN_USER = {"client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile"}
_PLAIN_CLUSTER = {
    "server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name",
    "extensions",
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """host: https://NAME:PORT[/PATH]; headers: how we log in, with a certificate in `tls` none."""

    host: str
    namespace: str
    tls: ssl.SSLContext | None
    headers: Mapping[str, str]
    proxy: str | None = None
    _begun: list[tuple[threading.Thread, list[socket.socket]]] = field(default_factory=list, compare=False)

    def path(self, name: str = "", sub: str = "") -> str:
        """URL path of pods, of one pod, or of its subresource."""
        prefix = urlsplit(self.host).path.rstrip("/")
        parts = [f"{prefix}/api/v1/namespaces/{self.namespace}/pods", quote(name, safe=""), sub]
        return "/".join(p for p in parts if p)

    def begin(self) -> None:
        """Make the next connection now, while something else is waited for. What fails is left to connect()."""
        made: list[socket.socket] = []

        def dial() -> None:
            with suppress(OSError):
                made.append(self._dial())

        thread = threading.Thread(target=dial, daemon=True)
        thread.start()
        self._begun.append((thread, made))

    def connect(self) -> socket.socket:
        """A socket to the server, through the proxy if there is one; OSError when there is none to be had."""
        while self._begun:
            thread, made = self._begun.pop()
            thread.join()
            if made:
                return made[0]
        return self._dial()

    def _dial(self) -> socket.socket:
        to = urlsplit(self.host)
        first = urlsplit(self.proxy) if self.proxy else to
        name, port = to.hostname or "", to.port or (443 if self.tls else 80)
        raw = socket.create_connection((first.hostname or "", first.port or port), timeout=_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.proxy:
            raw.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
            status, _ = read_head(raw)
            if status != 200:
                raise OSError(f"the proxy {self.proxy} answered {status}")
        return self.tls.wrap_socket(raw, server_hostname=name) if self.tls else raw

    def request(self, raw: socket.socket, url: str, version: str, headers: Mapping[str, str]) -> None:
        """Send the head of a GET."""
        every = {"Host": urlsplit(self.host).netloc, "User-Agent": "sdsk8s", **self.headers, **headers}
        lines = [f"GET {url} HTTP/{version}", *(f"{k}: {v}" for k, v in every.items()), "", ""]
        raw.sendall("\r\n".join(lines).encode("latin-1"))

    def get(self, url: str) -> tuple[int, dict[str, Any]]:
        """(status, JSON body) of one GET, tried twice. ClusterError when the server cannot be reached."""
        for last in (False, True):
            try:
                with self._dial() as raw:
                    # 1.0: the body comes in one piece and ends with the connection.
                    self.request(raw, url, "1.0", {"Accept": "application/json"})
                    status, _ = read_head(raw)
                    parts = []
                    while part := raw.recv(1 << 16):
                        parts.append(part)
                body = json.loads(b"".join(parts) or b"{}")
                return status, body if isinstance(body, dict) else {}
            except (OSError, ValueError) as err:
                if last or isinstance(err, ssl.SSLError):
                    raise ClusterError(
                        "the API server cannot be reached", target=self.host, words=str(err), next="sdsk8s doctor"
                    ) from None
        raise AssertionError


def read_head(raw: socket.socket) -> tuple[int, dict[str, str]]:
    """(status, headers) of an answer, up to the blank line and no byte further: frames may follow at once."""
    data = bytearray()
    while not data.endswith(b"\r\n\r\n"):
        byte = raw.recv(1)
        if not byte or len(data) > 65536:
            raise ValueError("the answer is no HTTP")
        data += byte
    first, *lines = data.decode("latin-1").split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
    return int(first.split(" ")[1]), headers


def open_endpoint(context: str | None, kubeconfig: str | None, namespace: str) -> Endpoint:
    """ClusterError as from any other verb; plug-ins, proxies and in-cluster accounts go through the library."""
    return _plain(context, kubeconfig, namespace) or _library(context, kubeconfig, namespace)


def _plain(context: str | None, kubeconfig: str | None, namespace: str) -> Endpoint | None:
    name = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    path = Path(name).expanduser()
    proxied = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
    if proxied or os.pathsep in name or not path.is_file() or not hasattr(os, "memfd_create"):
        return None
    import yaml

    try:
        data = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        current = _named(data["contexts"], context or data["current-context"])["context"]
        cluster = _named(data["clusters"], current["cluster"])["cluster"]
        user = _named(data["users"], current["user"])["user"]
        if set(user) - _PLAIN_USER or set(cluster) - _PLAIN_CLUSTER:
            return None
        token = user.get("token") or (Path(user["tokenFile"]).read_text().strip() if "tokenFile" in user else "")
        host = str(cluster["server"]).rstrip("/")
        tls = _tls(cluster, user, path.parent) if host.startswith("https://") else None
    except (OSError, ValueError, KeyError, TypeError, StopIteration, yaml.YAMLError):
        return None  # the library has the words for what is wrong with it
    return Endpoint(host, namespace, tls, {"Authorization": f"Bearer {token}"} if token else {})


def _named(entries: Any, name: str) -> Any:
    return next(e for e in entries if e["name"] == name)


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    with (
        _file(cluster, "certificate-authority", folder) as ca,
        _file(user, "client-certificate", folder) as certificate,
        _file(user, "client-key", folder) as key,
    ):
        return _context(
            ca, certificate, key, not cluster.get("insecure-skip-tls-verify"), cluster.get("tls-server-name")
        )


def _context(ca: str | None, certificate: str | None, key: str | None, verify: bool, name: Any) -> ssl.SSLContext:
    tls: ssl.SSLContext
    if name:
        tls = _Named(ssl.PROTOCOL_TLS_CLIENT)
        tls.name = str(name)
    else:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    elif ca:
        tls.load_verify_locations(ca)
    else:
        tls.load_default_certs()
    if certificate:
        tls.load_cert_chain(certificate, key)
    return tls


class _Named(ssl.SSLContext):
    """Asks for a certificate of another name than the one that was connected to."""

    name = ""

    def wrap_socket(self, sock: Any, *args: Any, **kw: Any) -> Any:
        return super().wrap_socket(sock, *args, **{**kw, "server_hostname": self.name})


@contextmanager
def _file(entry: Mapping[str, Any], key: str, folder: Path) -> Iterator[str | None]:
    """A file of the kubeconfig's entry; what stands in it as data becomes a file in memory that only we can open."""
    if f"{key}-data" not in entry:
        yield str(folder / str(entry[key])) if key in entry else None
        return
    handle = os.memfd_create(key)
    try:
        os.write(handle, base64.b64decode(entry[f"{key}-data"]))
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def _library(context: str | None, kubeconfig: str | None, namespace: str) -> Endpoint:
    from sdsk8s.backends.kubernetes.connect import connect

    transport = connect(context, kubeconfig, namespace).transport
    c = transport.configuration
    tls = None
    if transport.host.startswith("https://"):
        tls = _context(c.ssl_ca_cert, c.cert_file, c.key_file, bool(c.verify_ssl), c.tls_server_name)
    return Endpoint(transport.host, namespace, tls, transport.auth_headers(), c.proxy or None)
