"""Where a site's search engine and dashboards answer: behind a port-forward of ours, or at their configured address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sdsk8s.backends.http import Dashboards, Search
from sdsk8s.backends.kubernetes.forward import forward
from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.verbs.session import Session

DASHBOARDS_PORT = 5601


@contextmanager
def search_engine(session: Session, prefix: str) -> Iterator[Search]:
    """The engine of the configuration keys PREFIX_PVT_IP, _PORT, _PROTOCOL, _USER and _PASSWORD."""
    config = session.site.config
    with _base(session, f"{prefix}_PVT_IP", _port(config, f"{prefix}_PORT", 9200), prefix) as base:
        yield Search(base, *_login(config, prefix), verify=_verify(config, prefix))


@contextmanager
def dashboards(session: Session, prefix: str) -> Iterator[Dashboards]:
    """The dashboards at PREFIX_DASHBOARDS_URL, behind the Service that has port 5601, or at PREFIX_FQDN:5601.

    A site whose PREFIX component is on a machine may have no cluster at all: Services are not looked for.
    """
    config = session.site.config
    engine = str(config.get(f"{prefix}_ES_ENGINE") or "elasticsearch")
    login = _login(config, f"{prefix}_ES")
    given = config.get(f"{prefix}_DASHBOARDS_URL")
    if given:
        yield Dashboards(str(given), engine, *login, verify=_verify(config, f"{prefix}_DASHBOARDS"))
        return
    inside = _service_with(session, DASHBOARDS_PORT) if _here(session, f"{prefix}_PVT_IP") else ""
    if inside:
        with forward(session.cluster, inside, DASHBOARDS_PORT) as address:
            yield Dashboards(f"http://{address}", engine, *login)
        return
    host = config.get(f"{prefix}_FQDN")
    if not host:
        raise ConfigError(
            "no address configured for the dashboards", target=f"{session.home}/config",
            next=f"set {prefix}_DASHBOARDS_URL or {prefix}_FQDN",
        )  # fmt: skip
    yield Dashboards(f"http://{host}:{DASHBOARDS_PORT}", engine, *login)


@contextmanager
def _base(session: Session, key: str, port: int, prefix: str) -> Iterator[str]:
    """`http://host:port` of what an address key of the configuration means."""
    for component in session.catalogue.ordered():
        service = component.addresses.get(key)
        if service and session.site.where(component.name) == "kubernetes":
            with forward(session.cluster, service, _service_port(component, service, port)) as address:
                yield f"http://{address}"
            return
    value = session.site.config.get(key)
    first = value[0] if isinstance(value, list) and value else value
    if not first:
        raise ConfigError(f"{key} is empty", target=f"{session.home}/config", next="sds configure")
    text = str(first).rpartition("@")[2] if "://" not in str(first) else str(first)
    protocol = str(session.site.config.get(f"{prefix}_PROTOCOL") or "http")
    yield text if "://" in text else f"{protocol}://{text}" if ":" in text else f"{protocol}://{text}:{port}"


def _service_port(component: Any, service: str, otherwise: int) -> int:
    """The Service's own port: the one the configuration means if it has it, else its first."""
    for obj in component.manifests:
        if obj["kind"] == "Service" and kube.name(obj) == service:
            ports = [int(p["port"]) for p in obj["spec"].get("ports") or ()]
            return otherwise if otherwise in ports or not ports else ports[0]
    return otherwise


def _service_with(session: Session, port: int) -> str:
    """The only Service of the namespace with this port, or ""."""
    found = [
        kube.name(s)
        for s in session.cluster.list("Service")
        if any(p["port"] == port for p in s["spec"].get("ports") or ())
    ]
    return str(found[0]) if len(found) == 1 else ""


def _here(session: Session, key: str) -> bool:
    """Whether the component that a machine's address key stands for lives in the cluster; true for no component."""
    owners = [c.name for c in session.catalogue.ordered() if c.ssh and c.ssh.address == key]
    return all(session.site.where(name) == "kubernetes" for name in owners)


def _port(config: Any, key: str, otherwise: int) -> int:
    text = str(config.get(key) or otherwise)
    if not text.isdigit():
        raise ConfigError(f"{key} is not a port number", words=text)
    return int(text)


def _login(config: Any, prefix: str) -> tuple[str, str]:
    return str(config.get(f"{prefix}_USER") or ""), str(config.get(f"{prefix}_PASSWORD") or "")


def _verify(config: Any, prefix: str) -> bool:
    """False where the site says that a certificate is not to be checked."""
    return str(config.get(f"{prefix}_VERIFY", "true")).lower() not in ("false", "no", "0")
