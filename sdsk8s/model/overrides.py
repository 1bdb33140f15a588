"""A site's own files over finished images: one small layer more, everything below stays as it was released.

`overrides.yaml` in the site folder, by image name:

    mozart:
      config:    {overrides/banner.cfg: /opt/sds/ops/mozart/banner.cfg}     file or folder of the site: place
      locale:    {overrides/de: /opt/sds/ops/mozart/mozart/translations/de}
      extension: {overrides/plugin: /opt/sds/ops/mozart/mozart/plugins/site}
      env:       {LANG: de_DE.UTF-8}                                        defaults; a pod's own `env` wins

The three kinds do the same; they say why a file is there, in the image's label and in `images audit`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.names import secret_word, unknown

KINDS = ("config", "locale", "extension")
ROOTS = ("/opt/sds/", "/usr/local/share/", "/usr/share/")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Override:
    """kind: one of KINDS; source: file or folder below the site folder; target: absolute path in the image."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True)
class Overrides:
    """What a site lays over one image."""

    files: tuple[Override, ...]
    env: Mapping[str, str]


def overrides_from_dict(data: Mapping[str, Any], where: str) -> dict[str, Overrides]:
    """{image: Overrides} of `overrides.yaml`. ConfigError names file, image and key."""
    out = {}
    for image, entry in data.items():
        at = f"{where}, {image}"
        if not isinstance(entry, Mapping):
            raise ConfigError(
                "the overrides of an image must be a mapping", target=at, words=f"known: {', '.join(KINDS)}, env"
            )
        for key in entry:
            if key not in (*KINDS, "env"):
                raise ConfigError(f'unknown key "{key}"', target=at, words=unknown(str(key), (*KINDS, "env")))
        files = [_override(kind, s, t, at) for kind in KINDS for s, t in _mapping(entry.get(kind), at).items()]
        targets = [o.target for o in files]
        for target in targets:
            if targets.count(target) > 1:
                raise ConfigError(f"two overrides have the same target path {target}", target=at)
        out[str(image)] = Overrides(tuple(files), _env(entry.get("env"), at))
    return out


def _mapping(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or any(isinstance(v, dict | list) or v is None for v in value.values()):
        raise ConfigError("expected a mapping of names to text", target=where)
    return {str(k): str(v) for k, v in value.items()}


def _override(kind: str, source: str, target: str, where: str) -> Override:
    plain = posixpath.normpath(source)
    if posixpath.isabs(plain) or plain.split("/")[0] in ("..", "."):
        raise ConfigError(f'the override "{source}" is not a path below the site folder', target=where)
    if posixpath.normpath(target) != target or not target.startswith(ROOTS):
        raise ConfigError(
            f'the target path "{target}" of an override is not allowed', target=where, words=f"below {', '.join(ROOTS)}"
        )
    return Override(kind, plain, target)


def _env(data: Any, where: str) -> dict[str, str]:
    env = _mapping(data, where)
    for name, value in env.items():
        if "\n" in value:
            raise ConfigError(f"the value of {name} has more than one line", target=where)
        if not _ENV.fullmatch(name):
            raise ConfigError(f'"{name}" is not a valid variable name', target=where)
        if secret_word(name):
            raise ConfigError(
                f"{name} looks like a secret, but everybody who may pull the image can read its environment",
                target=where,
                next="put it into the site's configuration and a component's `secrets:`",
            )
    return env
