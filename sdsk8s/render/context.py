"""The variables that templates see: the whole legacy configuration, with addresses from the reader's place.

A pod reaches a store by its Service name; a component that lives elsewhere keeps the address of the
configuration. The legacy tool's "127.0.0.1 when on the same host" never applies in a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.site import Site


def context(site: Site, catalogue: Catalogue, reader: Component) -> dict[str, Any]:
    """Template variables for files that pods of `reader` mount."""
    values = dict(site.config)
    for component in catalogue.ordered():
        if site.where(component.name) == "kubernetes":
            values.update(component.addresses)
    return {**_common(site, values), "HOST_STRING": reader.name}


def machine_context(site: Site) -> dict[str, Any]:
    """Template variables for files that virtual machines read: addresses as the configuration has them."""
    return _common(site, dict(site.config))


def _common(site: Site, values: dict[str, Any]) -> dict[str, Any]:
    for key in [k for k in values if k.endswith("REDIS_PASSWORD")]:
        values[key] = "" if values[key] is None else values[key]
    values["LDAP_GROUPS"] = _groups(values.get("LDAP_GROUPS"))
    values["NAMESPACE"] = site.namespace
    return values


def _groups(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(v) for v in value]
    return [g.strip() for g in str(value or "").split(",") if g.strip()]


def config_value(site: Site, key: str) -> str | None:
    """One configuration value as text; None when the key is missing or empty."""
    value: Mapping[str, Any] | Any = site.config.get(key)
    return None if value is None else str(value)
