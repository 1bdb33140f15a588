"""A site: the legacy configuration plus `site.yaml`, the few lines that say where things live now.

docs/reference/site-yaml.md explains every key; a test holds the page to this file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.image import build_args, refuse_moving
from sdsk8s.model.names import secret_word, unknown

SHIP_TO = ("registry", "s3")
WHERE = ("kubernetes", "ssh", "external")
_KEYS = {
    "name",
    "namespace",
    "context",
    "source",
    "registry",
    "engine",
    "manifests",
    "images",
    "build_args",
    "components",
    "ship",
}


@dataclass(frozen=True)
class Site:
    home: str
    name: str = "sds"
    namespace: str = "sds"
    context: str | None = None
    source: str = ""
    registry: str = ""
    engine: str | None = None
    manifests: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    components: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    ship_to: tuple[str, ...] = ()
    s3_endpoint: str = ""

    def where(self, component: str) -> str:
        """`kubernetes`, `ssh` or `external`."""
        return str(self.components.get(component, {}).get("where", "kubernetes"))

    def develop(self, component: str) -> bool:
        """Its pods get their code on a writable volume."""
        return bool(self.components.get(component, {}).get("develop", False))

    def queues(self) -> list[str]:
        """Queue names in the order of the legacy key QUEUES."""
        return [str(q["QUEUE_NAME"]) for q in self.config.get("QUEUES") or () if q and q.get("QUEUE_NAME")]

    def secret_values(self) -> dict[str, str]:
        """Values of keys whose name says that they are secret, four characters or longer: {key: value}."""
        return {k: str(v) for k, v in self.config.items() if v is not None and len(str(v)) >= 4 and secret_word(k)}


def site_from_dict(data: Mapping[str, Any], config: Mapping[str, Any], home: str, where: str, source: str = "") -> Site:
    """Validate `site.yaml`. ConfigError names the file, the key and the nearest known key.

    source: the source tree when site.yaml names none.
    """
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f'unknown key "{key}"', target=where, words=unknown(str(key), _KEYS))
    for name, entry in (data.get("components") or {}).items():
        place = (entry or {}).get("where", "kubernetes")
        if place not in WHERE:
            raise ConfigError(f'components.{name}.where is "{place}"', target=where, words=unknown(place, WHERE))
    images = data.get("images") or {}
    if not isinstance(images, Mapping) or not all(isinstance(v, str) for v in images.values()):
        raise ConfigError("images: expected a mapping of image names to references", target=where)
    for name, reference in images.items():
        refuse_moving(reference, f"{where}, images.{name}")
    return Site(
        home=home,
        name=str(data.get("name", "sds")),
        namespace=str(data.get("namespace", "sds")),
        context=data.get("context"),
        source=str(data.get("source") or source),
        registry=str(data.get("registry", "")),
        engine=data.get("engine"),
        manifests=tuple(posixpath.join(home, posixpath.expanduser(m)) for m in data.get("manifests") or ()),
        images=dict(images),
        build_args=_build_args(data.get("build_args") or {}, where),
        components={k: dict(v or {}) for k, v in (data.get("components") or {}).items()},
        config=config,
        ship_to=_targets(data.get("ship") or {}, where),
        s3_endpoint=str((data.get("ship") or {}).get("s3_endpoint") or ""),
    )


def _build_args(data: Any, where: str) -> dict[str, dict[str, str]]:
    if not isinstance(data, Mapping):
        raise ConfigError("build_args: expected a mapping of image names to arguments", target=where)
    return {str(image): build_args(args, f"{where}, build_args.{image}") for image, args in data.items()}


def _targets(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    for key in data:
        if key not in ("to", "s3_endpoint"):
            raise ConfigError(
                f'ship: unknown key "{key}"', target=where, words=unknown(str(key), ["to", "s3_endpoint"])
            )
    to = tuple(str(t) for t in data.get("to") or ())
    for target in to:
        if target not in SHIP_TO:
            raise ConfigError(f'ship.to: unknown target "{target}"', target=where, words=unknown(target, SHIP_TO))
    return to
