"""A real HTTP proxy on loopback: CONNECT tunnels and plain forwarding, to the address that a name stands for here."""

from __future__ import annotations

import base64
import select
import socket
import socketserver
import threading
from contextlib import suppress


class Proxy:
    """names     {host name: (address, port)}; others are refused with 502
    login     "user:password" that it asks for, "" for none
    asked     each request line's method and target, as it came
    """

    def __init__(self, names: dict[str, tuple[str, int]], login: str = "") -> None:
        self.names = names
        self.login = login
        self.asked: list[str] = []
        proxy = self

        class Bound(_Handler):
            owner = proxy

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(socketserver.StreamRequestHandler):
    owner: Proxy

    def handle(self) -> None:
        head = [self.rfile.readline()]
        while head[-1].strip():
            head.append(self.rfile.readline())
        method, target, _ = head[0].decode().split(" ", 2)
        self.owner.asked.append(f"{method} {target}")
        wanted = f"Proxy-Authorization: Basic {base64.b64encode(self.owner.login.encode()).decode()}"
        if self.owner.login and not any(line.decode().strip().lower() == wanted.lower() for line in head):
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host = target.removeprefix("http://").partition("/")[0].partition(":")[0]
        if host not in self.owner.names:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(self.owner.names[host]) as far:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.removeprefix("http://").partition("/")[2]
                far.sendall(f"{method} {path} HTTP/1.1\r\n".encode() + b"".join(head[1:]))
            with suppress(OSError):
                self._tunnel(far)

    def _tunnel(self, far: socket.socket) -> None:
        near = self.connection
        while True:
            for ready in select.select([near, far], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                (far if ready is near else near).sendall(data)
