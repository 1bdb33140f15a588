"""`lab up|status` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sdsk8s.lab.plan import Lab


def up_lines(lab: Lab, tools: Path) -> Iterator[str]:
    """Where a new lab is, and what to try with it. tools: the folder of kubectl."""
    option = "" if lab.name == "default" else f" --name {lab.name}"
    yield f"lab {lab.name}: {lab.node_count} node{'s' if lab.node_count > 1 else ''}"
    yield f"  kubeconfig  {lab.kubeconfig}"
    yield f"  API server  {lab.server}"
    yield f"  registry    {lab.registry}"
    yield f"  docker      unix://{lab.docker_socket}"
    yield "try:"
    yield f"  export KUBECONFIG=$(sdsk8s lab kubeconfig{option}) PATH={tools}:$PATH"
    yield "  kubectl get nodes,storageclass"
    yield f"  sdsk8s lab status{option}"


def status_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The parts of a lab. found: the JSON form."""
    yield f"lab {found['lab']}: {found['state']}"
    for name in ("api", "registry", "docker", "kubeconfig"):
        yield f"  {name:<11} {found[name]}"
    for node in found["nodes"]:
        yield f"  {node['name']:<11} {node['address']}  {'Ready' if node['ready'] else 'NotReady'}"
    if found["parts"]:
        yield f"{'PART':<20} {'STATE':<9} {'PID':>7} {'UPTIME':>9}"
    for part in found["parts"]:
        yield f"{part['part']:<20} {part['state']:<9} {part['pid'] or '-':>7} {_clock(part['uptime']):>9}"


def _clock(seconds: int) -> str:
    """Seconds as h:mm:ss."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
