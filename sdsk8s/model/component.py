"""A component is data: one folder of Kubernetes YAML and one `component.yaml`, read into these frozen classes.

docs/reference/component-yaml.md explains every key; a test holds the page to this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.bundle import BundleSpec, bundle_from_dict
from sdsk8s.model.image import ImageSpec
from sdsk8s.model.kube import component_selector
from sdsk8s.model.names import unknown

RULES = ("user", "user-then-source", "source", "catalogue")
"""Where a template is looked for: the site's files folder; the same, then the source tree; only the source
tree (the three rules of the legacy tool); the site's files folder, then the catalogue's folder (ours)."""


@dataclass(frozen=True)
class ConfigFile:
    """One file that pods see under /opt/sds/etc, rendered from a template of the site.

    An optional one that no site file provides is left out; an object without files is not created.
    """

    file: str
    into: str
    template: str
    rule: str = "user"
    source: str = ""
    secret: bool = False
    raw: bool = False
    optional: bool = False


@dataclass(frozen=True)
class SecretKeys:
    """A Secret whose keys are single values of the site's configuration."""

    name: str
    keys: Mapping[str, str]


@dataclass(frozen=True)
class Hook:
    """A command that `reset` runs in a pod of component `within`, between stop and start."""

    title: str
    within: str
    container: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """A line of the status section "third-party services"."""

    store: str
    label: str


@dataclass(frozen=True)
class HealthCheck:
    """A command inside a store's pod that asks it, by its own protocol, whether it is alive."""

    container: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """A component's place on a virtual machine: the configuration key of its address, its folder below the home."""

    address: str
    home: str


@dataclass(frozen=True)
class Component:
    name: str
    title: str = ""
    store: bool = False
    stub: str = ""
    order: int = 100
    aliases: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    images: Mapping[str, ImageSpec] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    config: tuple[ConfigFile, ...] = ()
    secrets: tuple[SecretKeys, ...] = ()
    check: HealthCheck | None = None
    reset: tuple[Hook, ...] = ()
    per_queue: str = ""
    roles: tuple[str, ...] = ()
    bundle: BundleSpec | None = None
    ssh: Machine | None = None
    manifests: tuple[Mapping[str, Any], ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The catalogue folder that was found first."""
        return self.folders[0] if self.folders else ""

    def selector(self) -> str:
        """Label selector of the component's own pods."""
        return component_selector(self.name)


_KEYS = {
    "name", "title", "store", "stub", "order", "aliases", "verbs", "needs", "services", "images", "addresses",
    "config", "secrets", "check", "reset", "per_queue", "roles", "bundle", "ssh",
}  # fmt: skip


def component_from_dict(
    data: Mapping[str, Any], where: str, manifests: tuple[Mapping[str, Any], ...], folders: tuple[str, ...] = ()
) -> Component:
    """Validate one `component.yaml`. Raises ConfigError naming the file, the key and the nearest known key.

    folders: catalogue folders that the component was read from; default: that of `where`
    """
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f'unknown key "{key}"', target=where, words=unknown(key, _KEYS))
    if not isinstance(data.get("name"), str):
        raise ConfigError('the key "name" is missing', target=where)
    try:
        config = tuple(ConfigFile(**c) for c in data.get("config", ()))
        for entry in config:
            if entry.rule not in RULES:
                raise ConfigError(f'unknown rule "{entry.rule}"', target=where, words=unknown(entry.rule, RULES))
        return Component(
            name=data["name"],
            title=data.get("title", ""),
            store=bool(data.get("store", False)),
            stub=data.get("stub", ""),
            order=int(data.get("order", 100)),
            aliases=tuple(data.get("aliases", ())),
            verbs=tuple(data.get("verbs", ())),
            needs=tuple(data.get("needs", ())),
            services=tuple(Service(**s) for s in data.get("services", ())),
            images={n: ImageSpec.from_dict(n, spec) for n, spec in data.get("images", {}).items()},
            addresses=dict(data.get("addresses", {})),
            config=config,
            secrets=tuple(SecretKeys(name=s["name"], keys=dict(s["keys"])) for s in data.get("secrets", ())),
            check=_check(data.get("check")),
            reset=tuple(Hook(h["title"], h["in"], h["container"], tuple(h["command"])) for h in data.get("reset", ())),
            per_queue=data.get("per_queue", ""),
            roles=tuple(data.get("roles", ())),
            bundle=bundle_from_dict(data.get("bundle"), where, RULES),
            ssh=Machine(**data["ssh"]) if data.get("ssh") else None,
            manifests=manifests,
            folders=folders or (where.rsplit("/", 1)[0],),
        )
    except (KeyError, TypeError, ValueError) as err:
        raise ConfigError("component.yaml has a wrong shape", target=where, words=str(err)) from err


def _check(data: Mapping[str, Any] | None) -> HealthCheck | None:
    return HealthCheck(data["container"], tuple(data["command"])) if data else None
