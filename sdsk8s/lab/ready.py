"""Waiting until a lab that was started is one that can be used."""

from __future__ import annotations

import datetime
import socket
import time
from collections.abc import Callable
from typing import Any

from sdsk8s.errors import SdsError, WaitError
from sdsk8s.lab import images, objects, supervise
from sdsk8s.lab.api import Api
from sdsk8s.lab.plan import Lab
from sdsk8s.model import kube

Say = Callable[[str], None]


def wait_ready(lab: Lab, say: Say) -> None:
    """Registry and its images, API server, first objects, nodes, volumes, dockerd."""
    wait_for(lambda: port_open(lab.registry), 30, "the registry", lab, "registry")
    images.ensure(lab.registry, say)
    api = Api(lab)
    wait_for(api.ready, 90, "the API server", lab, "apiserver")
    say("API server ready")
    wait_for(lambda: bootstrapped(api), 30, "the first objects", lab, "apiserver")
    wait_for(
        lambda: nodes_ready(api, kubelet_starts(lab)) >= {node.name for node in lab.nodes},
        90,
        "the nodes",
        lab,
        "node1-kubelet",
    )
    forget_nodes(api, lab)
    say(", ".join(node.name for node in lab.nodes) + " Ready")
    wait_for(lambda: free_volumes(api) > 0, 30, "free volumes", lab, "volumes")
    wait_for(lab.docker_socket.exists, 30, "dockerd", lab, "docker")
    wait_for(lambda: all(part.state == "RUNNING" for part in supervise.parts(lab)), 30, "all parts", lab, "PART")


def wait_for(done: Callable[[], bool], seconds: float, what: str, lab: Lab, part: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            file = lab.logs / f"{part}.log"
            words = "\n".join(file.read_text(errors="replace").splitlines()[-8:]) if file.exists() else ""
            raise WaitError(
                f"waited {seconds:.0f} s for {what}",
                target=f"lab {lab.name}",
                words=words,
                next=f"sdsk8s lab logs {part} --name {lab.name}",
            )
        time.sleep(0.1)


def port_open(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def bootstrapped(api: Api) -> bool:
    """Apply the first objects; a server that has only just begun may refuse for a moment."""
    try:
        for path, obj in objects.bootstrap():
            api.apply(path, obj)
    except SdsError:
        return False
    return True


def kubelet_starts(lab: Lab) -> dict[str, float]:
    """When each node's kubelet was started, in seconds of the epoch."""
    now = time.time()
    suffix = "-kubelet"
    return {
        part.name.removesuffix(suffix): now - part.uptime for part in supervise.parts(lab) if part.name.endswith(suffix)
    }


def nodes_ready(api: Api, since: dict[str, float]) -> set[str]:
    """Names of nodes that are Ready by the word of their present kubelet (`since`: when it was started).

    After a restart the cluster still holds what the kubelet said before.
    """
    try:
        items = api.request("GET", "/api/v1/nodes")["items"]
    except SdsError:
        return set()
    return {kube.name(item) for item in items if is_ready(item, since.get(kube.name(item)))}


def is_ready(node: dict[str, Any], since: float | None) -> bool:
    for one in node.get("status", {}).get("conditions", []):
        if one["type"] == "Ready" and since is not None:
            beat = datetime.datetime.fromisoformat(one["lastHeartbeatTime"]).timestamp()
            # Both clocks count whole seconds.
            return bool(one["status"] == "True" and beat >= since - 1)
    return False


def forget_nodes(api: Api, lab: Lab) -> None:
    """Nodes of a larger shape that the lab had before."""
    for item in api.request("GET", "/api/v1/nodes")["items"]:
        if kube.name(item) not in {node.name for node in lab.nodes}:
            api.request("DELETE", f"/api/v1/nodes/{item['metadata']['name']}")


def free_volumes(api: Api) -> int:
    try:
        items = api.request("GET", "/api/v1/persistentvolumes")["items"]
    except SdsError:
        return 0
    return sum(1 for item in items if item.get("status", {}).get("phase") == "Available")
