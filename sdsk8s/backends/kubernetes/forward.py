"""Ports of a pod on loopback: one WebSocket to the API server per connection, as `kubectl port-forward` does.

Protocol: channel 0 is data, channel 1 an error text; the first frame of each says only which port it is.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websocket

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.exec import connect_socket
from sdsk8s.errors import ClusterError

_DATA, _ERROR = 0, 1
_PIECE = 128 * 1024
_CUT = (websocket.WebSocketException, OSError)


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
        raise ClusterError("there is no such Service", target=where, next="sds status")
    entry = next((p for p in found["spec"].get("ports") or () if p["port"] == port), None)
    if entry is None:
        raise ClusterError(f"the Service has no port {port}", target=where)
    for part in cluster.list("EndpointSlice", f"kubernetes.io/service-name={service}"):
        ports = [p["port"] for p in part.get("ports") or () if p.get("name", "") == entry.get("name", "")]
        for end in part.get("endpoints") or ():
            reference = end.get("targetRef") or {}
            if ports and reference.get("kind") == "Pod" and (end.get("conditions") or {}).get("ready"):
                return str(reference["name"]), int(ports[0])
    raise ClusterError("no ready pod stands behind the Service", target=where, next="sds status")


def _serve(cluster: Cluster, listener: socket.socket, pod: str, port: int, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            client, _ = listener.accept()
        except OSError:
            return  # closed: the context has ended
        threading.Thread(target=_join, args=(cluster, client, pod, port), daemon=True, name="forward-one").start()


def _join(cluster: Cluster, client: socket.socket, pod: str, port: int) -> None:
    """One connection. What goes wrong ends it: the client sees a closed connection, as from any server."""
    try:
        url = cluster.path("Pod", pod, "portforward") + f"?ports={port}"
        tunnel = connect_socket(cluster, url, f"pod {pod}, port {port}", ("v4.channel.k8s.io",))
    except ClusterError:
        client.close()
        return
    tunnel.settimeout(None)
    threading.Thread(target=_upstream, args=(client, tunnel), daemon=True, name="forward-up").start()
    seen: set[int] = set()
    try:
        while True:
            opcode, frame = tunnel.recv_data_frame(True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return
            if opcode not in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) or not frame.data:
                continue
            channel, data = frame.data[0], bytes(frame.data[1:])
            if channel not in seen:
                seen.add(channel)  # the port's number
                continue
            if channel == _ERROR:
                return
            client.sendall(data)
    except _CUT:
        return
    finally:
        client.close()
        tunnel.shutdown()


def _upstream(client: socket.socket, tunnel: Any) -> None:
    try:
        while data := client.recv(_PIECE):
            tunnel.send_binary(bytes([_DATA]) + data)
    except _CUT:
        pass
    finally:
        # The protocol cannot say "no more from here": the whole connection ends.
        tunnel.shutdown()
