"""What a queue's bundle is made of: the code and files that `ship` brings to its workers. Data and checks only.

In `component.yaml` of a component with `per_queue`:

    bundle:
      packages: [hysds_commons, hysds]      folders of the source tree, at the root of the archive
      import: [hysds]                       those that pods import from the bundle (default: all packages)
      files:
        - path: install.sh                  place in the archive
          template: install.sh              file name, or a list: the first that exists
          rule, source, raw, secret         as in `config:`
          mode: "0755"                      (default: 0644, of secrets 0600)
          optional: true                    left out when there is no such file
          when: AWS_ACCESS_KEY              left out while this configuration key is empty

Templates see the site's configuration as it is written (addresses that virtual machines reach) and `queue`.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.names import unknown

DEFAULT_FOLDER = "/opt/sds/bundle"
STEP = "bundle"
"""Name of the init container that fetches a bundle, and of the volume that it unpacks to."""
ENV = "SDS_BUNDLE"
"""Variable of the init container: `REGISTRY/SITE/bundle/NAME:TAG@sha256:...`."""
ANNOTATION = "sdsk8s/bundle"
"""Id of the bundle that the pods of a template run."""
KEY_SECRET = "bundle-key"
"""Secret with the key that opens encrypted bundles."""
_KEYS = {"packages", "import", "files"}
_FILE_KEYS = {"path", "template", "rule", "source", "raw", "secret", "mode", "optional", "when"}


@dataclass(frozen=True)
class BundleFile:
    """One file of a bundle besides the packages."""

    path: str
    templates: tuple[str, ...]
    rule: str = "user"
    source: str = ""
    raw: bool = False
    secret: bool = False
    mode: int = 0o644
    optional: bool = False
    when: str = ""


@dataclass(frozen=True)
class BundleSpec:
    packages: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    files: tuple[BundleFile, ...] = ()


@dataclass(frozen=True)
class BundledFile:
    """One file of an archive. sha256 of its content; size in bytes; place is a path on disk, or "" for `data`."""

    path: str
    mode: int
    size: int
    sha256: str
    place: str = ""
    data: bytes = b""
    secret: bool = False

    @staticmethod
    def of(path: str, data: bytes, mode: int, *, secret: bool = False) -> BundledFile:
        return BundledFile(path, mode, len(data), hashlib.sha256(data).hexdigest(), "", data, secret)


@dataclass(frozen=True)
class Archive:
    """One archive: `file` is its name (`QUEUE-VENUE.tbz2`), `entries` are sorted by path."""

    queue: str
    file: str
    entries: tuple[BundledFile, ...]

    @property
    def id(self) -> str:
        """12 hex digits over paths, modes and contents: equal ids are equal archives, byte for byte."""
        rows = [[e.path, e.mode, e.sha256] for e in self.entries]
        return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()[:12]

    @property
    def size(self) -> int:
        """Bytes before compression."""
        return sum(e.size for e in self.entries)


def archive(queue: str, file: str, entries: Sequence[BundledFile]) -> Archive:
    """Sorted entries; ConfigError when two of them have one path, or one is a folder of another."""
    ordered = sorted(entries, key=lambda e: e.path)
    paths = {e.path for e in ordered}
    for entry, following in pairwise(ordered):
        if entry.path == following.path:
            raise ConfigError("two files of the bundle have the same path", target=f"{file}: {entry.path}")
    for path in paths:
        parent = posixpath.dirname(path)
        while parent:
            if parent in paths:
                raise ConfigError("a path in the bundle is both a file and a directory", target=f"{file}: {parent}")
            parent = posixpath.dirname(parent)
    return Archive(queue, file, tuple(ordered))


def bundle_name(queue: str, venue: str) -> str:
    """`QUEUE-VENUE`, the stem of the legacy tool's file name. ConfigError when that is not a valid file name."""
    name = f"{queue}-{venue}"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ConfigError(
            "queue and venue do not form a valid file name",
            target="QUEUES and VENUE",
            words=f"expected letters, digits, . _ -, got {name!r}",
        )
    return name


def bundle_ref(registry: str, site: str, name: str, tag: str) -> str:
    """`REGISTRY/SITE/bundle/NAME:TAG`; the name in the registry's letters."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return "/".join(p for p in (registry.rstrip("/"), site, "bundle", slug) if p) + f":{tag}"


def bundle_from_dict(data: Mapping[str, Any] | None, where: str, rules: Sequence[str]) -> BundleSpec | None:
    """Validate the key `bundle`. ConfigError names the key and the nearest known one."""
    if data is None:
        return None
    _known(data, _KEYS, where)
    files = tuple(_file(f, f"{where}: bundle.files", rules) for f in data.get("files") or ())
    packages = tuple(str(p) for p in data.get("packages") or ())
    imported = tuple(str(p) for p in data.get("import", packages) or ())
    for name in imported:
        if name not in packages:
            raise ConfigError(
                f'bundle.import: "{name}" is not in bundle.packages', target=where, words=unknown(name, packages)
            )
    return BundleSpec(packages, imported, files)


def _file(data: Mapping[str, Any], where: str, rules: Sequence[str]) -> BundleFile:
    _known(data, _FILE_KEYS, where)
    path, template = str(data.get("path", "")), data.get("template")
    if not path or path.startswith(("/", "..")) or posixpath.normpath(path) != path:
        raise ConfigError(f'"{path}" is not a plain relative path', target=where)
    templates = tuple(str(t) for t in template) if isinstance(template, list) else (str(template or ""),)
    if not all(templates):
        raise ConfigError(f"{path}: the key `template` is missing", target=where)
    rule, secret = str(data.get("rule", "user")), bool(data.get("secret", False))
    if rule not in rules:
        raise ConfigError(f'{path}: unknown rule "{rule}"', target=where, words=unknown(rule, rules))
    mode = int(str(data["mode"]), 8) if "mode" in data else 0o600 if secret else 0o644
    return BundleFile(
        path, templates, rule, str(data.get("source", "")), bool(data.get("raw", False)), secret, mode,
        bool(data.get("optional", False)), str(data.get("when", "")),
    )  # fmt: skip


def _known(data: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in data:
        if key not in keys:
            raise ConfigError(f'unknown key "{key}"', target=where, words=unknown(str(key), keys))
