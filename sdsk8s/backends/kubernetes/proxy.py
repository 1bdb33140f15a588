"""Which proxy leads to an API server: `proxy-url` of the kubeconfig, else HTTPS_PROXY, HTTP_PROXY and NO_PROXY.

The rules are kubectl's: `proxy-url` always holds, and this machine's own addresses are never asked of a proxy that
comes from the environment.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from sdsk8s.errors import ClusterError


def proxy_for(host: str, proxy_url: str, env: Mapping[str, str]) -> str:
    """URL of the proxy, "" for none. host: URL of the API server. ClusterError for a proxy that cannot be used."""
    origin = "proxy-url of the kubeconfig"
    proxy = proxy_url
    if not proxy:
        scheme = "https" if host.startswith("https") else "http"
        origin = next((n for n in (f"{scheme.upper()}_PROXY", f"{scheme}_proxy") if env.get(n)), "")
        if not origin or _bypass(urlsplit(host), env.get("NO_PROXY") or env.get("no_proxy") or ""):
            return ""
        proxy = env[origin]
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterError(
            f"this proxy cannot be used: expected http://HOST:PORT or https://HOST:PORT, got {shown(proxy)}",
            target=origin,
            words="SOCKS proxies are not supported" if parts.scheme.startswith("socks") else "",
            next="use an HTTP proxy that allows CONNECT, or ssh -L with the server of the kubeconfig set to it",
        )
    return proxy


def shown(proxy: str) -> str:
    """The proxy's URL without its password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.scheme else proxy.rpartition("@")[2]


def login(proxy: str) -> str:
    """USER:PASSWORD of the proxy's URL, or ""."""
    return urlsplit(proxy).netloc.rpartition("@")[0]


def _bypass(host: object, no_proxy: str) -> bool:
    name = str(getattr(host, "hostname", "") or "").rstrip(".")
    port = getattr(host, "port", None)
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address | None = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_matches(entry.strip().lower(), name, port, address) for entry in no_proxy.split(",") if entry.strip())


def _matches(
    entry: str, name: str, port: int | None, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    """One entry of NO_PROXY: *, an address, a network (10.0.0.0/8), or a domain and what is below it; port optional."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    bare, _, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
    if wanted and wanted != str(port):
        return False
    domain = (bare or entry).removeprefix("*").strip("[]")
    return name == domain.removeprefix(".") or name.endswith(f".{domain.removeprefix('.')}")
