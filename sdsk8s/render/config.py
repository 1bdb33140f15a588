"""ConfigMaps and Secrets of a component, rendered from the site's templates."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component, ConfigFile
from sdsk8s.model.secrets import secrets_in
from sdsk8s.model.site import Site
from sdsk8s.render.context import config_value, context
from sdsk8s.render.template import render_text

LIMIT = 1_000_000
"""Bytes; the API server refuses objects a little above this."""

Texts = Mapping[tuple[str, str, str], str]
"""Template texts by (component, object, file): two objects of a component may hold files of one name."""


def config_objects(site: Site, catalogue: Catalogue, component: Component, texts: Texts) -> list[dict[str, Any]]:
    """ConfigMaps and Secrets, in a stable order.

    Raises ConfigError for a template that cannot be rendered (file and line), for a value of a secret key that
    would land in a ConfigMap, for a missing key of a declared Secret, and for an object above 1 MB.
    """
    values = context(site, catalogue, component)
    groups: dict[tuple[str, bool], dict[str, str]] = {}
    for entry in component.config:
        if entry.optional and (component.name, entry.into, entry.file) not in texts:
            continue
        text = texts[(component.name, entry.into, entry.file)]
        if not entry.raw:
            text = render_text(text, values, entry.template)
        if not entry.secret:
            _refuse_secrets(text, site, entry)
        groups.setdefault((entry.into, entry.secret), {})[entry.file] = text
    out = []
    for (name, secret), files in sorted(groups.items()):
        if sum(len(v.encode()) for v in files.values()) > LIMIT:
            raise ConfigError(
                f"{name} would be larger than 1 MB, which the API server refuses",
                target=", ".join(sorted(files)),
                next="move the large file into the image, or into an object of its own (`into:`)",
            )
        out.append(_object(site, name, files, secret))
    for declared in component.secrets:
        keys = {}
        for key, config_key in declared.keys.items():
            value = config_value(site, config_key)
            if value is None:
                raise ConfigError(f"the key {config_key} is missing or empty", target=f"{site.home}/config")
            keys[key] = value
        out.append(_object(site, declared.name, keys, True))
    return out


def _object(site: Site, name: str, files: Mapping[str, str], secret: bool) -> dict[str, Any]:
    meta = {"name": name, "namespace": site.namespace}
    if secret:
        data = {k: base64.b64encode(v.encode()).decode() for k, v in sorted(files.items())}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(sorted(files.items()))}


def _refuse_secrets(text: str, site: Site, entry: ConfigFile) -> None:
    for key, value in site.secret_values().items():
        if value in text:
            raise ConfigError(
                f"the value of {key} would be readable in the ConfigMap {entry.into}",
                target=entry.template,
                next=f'set "secret: true" for {entry.file} in component.yaml, or take the value out of the template',
            )
    for line, what in secrets_in(text, guess=False):
        raise ConfigError(
            f"{what} would be readable in the ConfigMap {entry.into}",
            target=f"{entry.template}, line {line} of what it renders to",
            next=f'set "secret: true" for {entry.file} in component.yaml, or take it out of the template',
        )
