"""A small API server over real HTTP, for faults that a healthy one cannot be made to show. Plain dicts in memory.

It is not the thing under test: what a real server does is proved in tests/cluster.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Fault = Callable[["Handler"], bool]


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


class FakeApiServer:
    """objects   {collection path: {name: object}}
    faults    called for each request; True means that it has answered
    skew      seconds by which the server's clock is ahead of ours
    """

    def __init__(self, port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        """certificate: (certificate, key) in PEM files, to speak TLS."""
        self.skew = 0.0
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.version = 100
        self.changes: list[tuple[int, str, str, dict[str, Any]]] = []
        self.oldest = 0
        self.denied: set[str] = set()
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.Condition()
        server = self

        class Bound(Handler):
            api = server

        self.http = Server(("127.0.0.1", port), Bound)
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*certificate)
            # The handshake is the handler's, so that a client that makes none holds nobody up.
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        self.port = self.http.server_port
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def put(self, collection: str, obj: dict[str, Any]) -> None:
        """Store an object and tell the watches."""
        with self.lock:
            name = obj["metadata"]["name"]
            known = name in self.objects.setdefault(collection, {})
            self.version += 1
            obj["metadata"]["resourceVersion"] = str(self.version)
            self.objects[collection][name] = obj
            self.changes.append(
                (self.version, collection, "MODIFIED" if known else "ADDED", json.loads(json.dumps(obj)))
            )
            self.lock.notify_all()

    def drop(self, collection: str, name: str) -> None:
        with self.lock:
            obj = self.objects[collection].pop(name)
            self.version += 1
            self.changes.append((self.version, collection, "DELETED", obj))
            self.lock.notify_all()


def merged(old: Any, new: Any) -> Any:
    """A JSON merge patch."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


class Handler(BaseHTTPRequestHandler):
    api: FakeApiServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.start():
            return
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        collection, _, name = parts.path.rpartition("/")
        if query.get("watch"):
            self.watch(parts.path, int(query["resourceVersion"][0]))
        elif name in self.api.objects.get(collection, {}):
            self.answer(200, self.api.objects[collection][name])
        elif parts.path in self.api.objects:
            items = list(self.api.objects[parts.path].values())
            self.answer(200, {"metadata": {"resourceVersion": str(self.api.version)}, "items": items})
        else:
            self.status(404, "NotFound", f"{parts.path} not found")

    def do_POST(self) -> None:
        if self.start():
            return
        obj = self.body()
        path = urlsplit(self.path).path
        if path.endswith("/selfsubjectaccessreviews"):
            wanted = obj["spec"]["resourceAttributes"]
            self.answer(201, {"status": {"allowed": wanted["verb"] not in self.api.denied}})
            return
        if obj["metadata"]["name"] in self.api.objects.setdefault(path, {}):
            self.status(409, "AlreadyExists", "it exists")
            return
        self.api.put(path, obj)
        self.answer(201, obj)

    def do_PUT(self) -> None:
        if self.start():
            return
        obj = self.body()
        collection, _, name = urlsplit(self.path).path.rpartition("/")
        old = self.api.objects[collection][name]
        if obj["metadata"].get("resourceVersion") != old["metadata"]["resourceVersion"]:
            self.status(409, "Conflict", "the object has been modified")
            return
        self.api.put(collection, obj)
        self.answer(200, obj)

    def do_PATCH(self) -> None:
        if self.start():
            return
        collection, _, name = urlsplit(self.path).path.rpartition("/")
        old = self.api.objects.setdefault(collection, {}).get(name, {"metadata": {"name": name}})
        self.api.put(collection, merged(old, self.body()))
        self.answer(200, self.api.objects[collection][name])

    def watch(self, collection: str, version: int) -> None:
        api = self.api
        if version < api.oldest:
            self.stream_start()
            self.chunk(
                {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old resource version"}}
            )
            self.stream_end()
            return
        self.stream_start()
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with api.lock:
                news = [c for c in api.changes if c[0] > version and c[1] == collection]
                if not news:
                    api.lock.wait(0.1)
                    continue
            for v, _, kind, obj in news:
                version = v
                try:
                    self.chunk({"type": kind, "object": obj})
                except OSError:
                    return
        self.stream_end()

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.api.skew)

    # -- WebSockets: just enough for a command that writes and ends ---------------------------------------------

    def upgrade(self, protocol: str) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        self.close_connection = True

    def frame(self, channel: int, data: bytes) -> None:
        payload = bytes([channel]) + data
        assert len(payload) < 65536
        head = bytes([0x82, len(payload)]) if len(payload) < 126 else bytes([0x82, 126, *len(payload).to_bytes(2)])
        self.wfile.write(head + payload)
        self.wfile.flush()

    def cut(self) -> None:
        """End the connection without a word."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def start(self) -> bool:
        self.api.requests.append(f"{self.command} {self.path}")
        return any(fault(self) for fault in list(self.api.faults))

    def body(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return parsed

    def answer(self, code: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        if self.command in ("POST", "PATCH", "PUT") and code >= 400:
            headers["Connection"] = "close"  # a fault has not read the body, so the connection is of no more use
            self.close_connection = True
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def status(self, code: int, reason: str, message: str, **headers: str) -> None:
        self.answer(code, {"kind": "Status", "reason": reason, "message": message, "code": code}, **headers)

    def stream_start(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, event: Any) -> None:
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def stream_end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args: Any) -> None: ...


def times(n: int, act: Callable[[Handler], None], match: str = "") -> Fault:
    """A fault for the first n matching requests."""
    left = [n]

    def fault(handler: Handler) -> bool:
        if left[0] <= 0 or match not in f"{handler.command} {handler.path}":
            return False
        left[0] -= 1
        act(handler)
        return True

    return fault
