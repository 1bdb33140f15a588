"""A TCP proxy before the API server that cuts or stalls connections after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class Proxy:
    """cut: bytes after which a connection is ended, as many times as the list is long. stall: hold it there instead."""

    def __init__(self, kubeconfig: str, folder: Path) -> None:
        self.cut: list[int] = []
        self.stall = False
        self.stalled = threading.Event()
        self._closed = threading.Event()
        config: Any = yaml.safe_load(Path(kubeconfig).read_text())
        cluster = config["clusters"][0]["cluster"]
        self._to = urlsplit(cluster["server"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        cluster["tls-server-name"] = self._to.hostname
        cluster["server"] = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.kubeconfig = str(folder / "kubeconfig")
        Path(self.kubeconfig).write_text(yaml.safe_dump(config))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((self._to.hostname or "", self._to.port or 443))
            moved = [0]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b, moved), daemon=True).start()

    def _pump(self, a: socket.socket, b: socket.socket, moved: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                moved[0] += len(data)
                if self.cut and moved[0] > self.cut[0]:
                    self.cut.pop(0)
                    if self.stall:
                        self.stalled.set()
                        self._closed.wait(60)
                    break
                b.sendall(data)
        for end in (a, b):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
