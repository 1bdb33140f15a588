"""Where Services can be reached from outside the cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.kube import Object


@dataclass(frozen=True)
class Url:
    """An address at which a Service can be reached from outside; reachable None means not tried."""

    service: str
    url: str
    reachable: bool | None = None


def service_urls(service: Object, nodes: Sequence[str]) -> list[str]:
    """Addresses from outside the cluster, the load balancer's first; empty for a Service that is not exposed."""
    spec = kube.spec(service)
    if spec.get("type") not in ("NodePort", "LoadBalancer"):
        return []
    ports = list(spec.get("ports") or ())
    port = next((p for p in ports if str(p.get("name", "")).startswith("http")), ports[0] if ports else None)
    if port is None:
        return []
    given = (kube.status(service).get("loadBalancer") or {}).get("ingress") or ()
    hosts = [str(i.get("hostname") or i.get("ip")) for i in given]
    out = [f"http://{host}:{port['port']}" for host in hosts]
    if port.get("nodePort"):
        out += [f"http://{node}:{port['nodePort']}" for node in nodes]
    return out


def node_addresses(nodes: Iterable[Object]) -> list[str]:
    """Addresses of nodes, those of ready nodes first, an external one before the internal one."""
    rows = []
    for n in nodes:
        by_type = {a["type"]: a["address"] for a in kube.status(n).get("addresses") or ()}
        address = by_type.get("ExternalIP") or by_type.get("InternalIP")
        if address:
            rows.append((not kube.holds(n, "Ready"), kube.name(n), str(address)))
    return [address for _, _, address in sorted(rows)]
