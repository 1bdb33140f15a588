"""Ports of a pod on loopback: one WebSocket to the API server per connection, as `kubectl port-forward` does.

Protocol: channel 0 is data, channel 1 an error text; the first frame of each says only which port it is.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.websocket import Cut, WebSocket
from sdsk8s.errors import ClusterError

log = logging.getLogger("sdsk8s.forward")
_DATA = 0
_PIECE = 128 * 1024
_AHEAD = 1024 * 1024
_START_SECONDS = 10.0


@contextmanager
def forward(cluster: Cluster, service: str, port: int) -> Iterator[str]:
    """`127.0.0.1:PORT` of a Service's ready pod, while the context lasts. ClusterError when no pod serves it."""
    pod, target = _pod_behind(cluster, service, port)
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    threading.Thread(target=_serve, args=(cluster, listener, pod, target, stop), daemon=True, name="forward").start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.close()


def _pod_behind(cluster: Cluster, service: str, port: int) -> tuple[str, int]:
    """(pod, container port) of the first ready endpoint."""
    where = f"Service {service}, namespace {cluster.namespace}"
    found = cluster.get("Service", service)
    if found is None:
        raise ClusterError("the Service does not exist", target=where, next="sds status")
    entry = next((p for p in found["spec"].get("ports") or () if p["port"] == port), None)
    if entry is None:
        raise ClusterError(f"the Service has no port {port}", target=where)
    for part in cluster.list("EndpointSlice", f"kubernetes.io/service-name={service}"):
        ports = [p["port"] for p in part.get("ports") or () if p.get("name", "") == entry.get("name", "")]
        for end in part.get("endpoints") or ():
            reference = end.get("targetRef") or {}
            if ports and reference.get("kind") == "Pod" and (end.get("conditions") or {}).get("ready"):
                return str(reference["name"]), int(ports[0])
    raise ClusterError("the Service has no ready pod", target=where, next="sds status")


def _serve(cluster: Cluster, listener: socket.socket, pod: str, port: int, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed: the context has ended
        threading.Thread(target=_join, args=(cluster, client, pod, port), daemon=True, name="forward-one").start()


class _Tunnel(WebSocket):
    """One connection to a port. The first frame of each channel only says which port it is."""

    duplex = True
    words = b""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        url = cluster.path("Pod", pod, "portforward") + f"?ports={port}"
        reply = cluster.connection.switch(url, ("v4.channel.k8s.io",), _START_SECONDS)
        super().__init__(reply, cluster.connection.secure, f"pod {pod}, port {port}", _DATA)
        self.exactly(2)

    def other(self, channel: int, data: memoryview) -> None:
        """An error text: whatever it says, this connection is of no more use."""
        self.words += bytes(data)
        if len(self.words) > 2:
            raise Cut("the port cannot be reached", target=self.where, words=self.words[2:].decode(errors="replace"))


def _join(cluster: Cluster, client: socket.socket, pod: str, port: int) -> None:
    """One connection. An error ends it: the client sees a closed connection, as from any server."""
    tunnel: _Tunnel | None = None
    try:
        tunnel = _Tunnel(cluster, pod, port)
        client.setblocking(False)
        _pump(client, tunnel)
    except (ClusterError, OSError) as err:
        log.debug("pod %s, port %d: %s", pod, port, err)
    finally:
        client.close()
        if tunnel is not None:
            tunnel.shut()


def _pump(client: socket.socket, tunnel: _Tunnel) -> None:
    """Both directions, until either side ends: the protocol cannot say "no more from here"."""
    waiting = bytearray()  # for a client that reads more slowly than the pod sends
    while True:
        ready = tunnel.waiting() and len(waiting) < _AHEAD
        sources: list[Any] = [client] if ready or len(waiting) >= _AHEAD else [client, tunnel]
        readable, writable, _ = select.select(sources, [client] if waiting else [], [], 0 if ready else None)
        if writable:
            del waiting[: client.send(waiting)]
        if client in readable:
            data = client.recv(_PIECE)
            if not data:
                return
            tunnel.write(data)
            tunnel.flush()
        if ready or tunnel in readable:
            found = tunnel.piece(_PIECE)
            if found is None:
                continue
            if not found:
                while waiting:
                    select.select([], [client], [])
                    del waiting[: client.send(waiting)]
                return
            waiting += found
