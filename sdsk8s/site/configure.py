"""Writes a site's `config` and `site.yaml`: merged into the existing files; comments and unknown keys are kept."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from sdsk8s.errors import ConfigError
from sdsk8s.model.names import secret_word
from sdsk8s.model.site import site_from_dict
from sdsk8s.site.legacy_config import read_legacy_config

SITE_KEYS = ("name", "namespace", "context", "registry", "source")


def password_hash(password: str) -> str:
    """SHA-224 in hex, as the legacy tool stores the password of the web account."""
    return hashlib.sha224(password.encode()).hexdigest()


def merged(path: Path, changes: Mapping[str, Any]) -> str:
    """The file's text with the changes in it; keys, order and comments of what does not change stay.

    A change to an equal value leaves the line as it is. A mapping under a key is merged into the one that is there.
    """
    handler = YAML()
    handler.preserve_quotes = True
    handler.width = 4096
    text = path.read_text() if path.exists() else ""
    try:
        data = handler.load(text)
    except MarkedYAMLError as err:
        line = err.problem_mark.line + 1 if err.problem_mark else 1
        raise ConfigError("this is not valid YAML", target=f"{path}:{line}", words=str(err.problem or err)) from None
    if data is None:
        data = CommentedMap()
    if not isinstance(data, CommentedMap):
        raise ConfigError("expected a mapping of keys to values", target=str(path))
    if not _lay(data, changes):
        return text
    # Lists are indented as they are in the file: the usual two forms differ only in this.
    if any(line.startswith("  - ") for line in text.splitlines()):
        handler.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    handler.dump(data, out)
    return out.getvalue()


def _lay(data: CommentedMap, changes: Mapping[str, Any]) -> bool:
    changed = False
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(data.get(key), CommentedMap):
            changed = _lay(data[key], value) or changed
        elif key not in data or data[key] != value:
            quoted = isinstance(value, str) and value and (secret_word(key) or not _plain(value))
            data[key] = DoubleQuotedScalarString(value) if quoted else value
            changed = True
    return changed


def _plain(text: str) -> bool:
    """Whether YAML 1.1, which the verbs read, takes the unquoted text for this text."""
    try:
        return bool(yaml.safe_load(text) == text)
    except yaml.YAMLError:
        return False


def save_config(home: Path, changes: Mapping[str, Any]) -> list[str]:
    """Merge into `config`; returns what was done, for people. ConfigError leaves everything as it was."""
    text = merged(home / "config", changes)
    return _replace(home / "config", text, lambda new: read_legacy_config(new).refuse_broken())


def save_site(home: Path, changes: Mapping[str, Any]) -> list[str]:
    """Merge into `site.yaml`, by the same rules."""
    path = home / "site.yaml"
    text = merged(path, changes)
    if not text:
        return []
    return _replace(path, text, lambda new: site_from_dict(YAML(typ="safe").load(new) or {}, {}, str(home), str(path)))


def _replace(path: Path, text: str, check: Any) -> list[str]:
    """Write beside, check, keep the old one, switch. Modes 0600; an equal text is not written again."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    done = []
    if path.exists() and path.read_text() == text:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
            return [f"{path}: nothing to change; mode is 0600 now"]
        return [f"{path}: nothing to change"]
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    try:
        check(new)
    except ConfigError as err:
        new.unlink()
        target = err.target.replace(str(new), str(path))
        raise ConfigError(err.what, target=f"{target} (as it would be)", words=err.words, next=err.next) from None
    if path.exists():
        stamp = time.strftime("%Y%m%d-%H%M%S")
        kept = next(
            p for n in range(1000) if not (p := path.with_name(f"{path.name}.{stamp}{f'-{n}' * bool(n)}.bak")).exists()
        )
        path.rename(kept)
        kept.chmod(0o600)
        done.append(f"{kept}: backup of the previous file")
    new.rename(path)
    return [f"{path}: written, mode 0600", *done]
