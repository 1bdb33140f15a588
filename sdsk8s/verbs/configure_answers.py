"""Answers of `configure` that nobody is asked for: from a file, --set, standard input, and the legacy defaults."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.errors import UsageError
from sdsk8s.model.names import secret_word, unknown
from sdsk8s.site.configure import SITE_KEYS
from sdsk8s.site.legacy import legacy
from sdsk8s.site.yamlfile import read_mapping

HOST_SUFFIXES = ("_PVT_IP", "_PUB_IP", "_FQDN")


@dataclass(frozen=True)
class Answers:
    """config: keys of the configuration file; site: keys of site.yaml."""

    config: dict[str, Any]
    site: dict[str, Any]


def given(source: Path | None, assignments: tuple[str, ...], *, stdin: bool) -> Answers:
    """What was given instead of answers: a YAML file, KEY=VALUE words, KEY=VALUE lines of standard input.

    UsageError for a word that is not KEY=VALUE, a key that nobody knows, and a secret on the command line.
    """
    config: dict[str, Any] = read_mapping(source) if source else {}
    site: dict[str, Any] = config.pop("site", None) or {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {key or text}: expected KEY=VALUE")
        if secret_word(key):
            # What stands on a command line stands in the process list and in the shell's history.
            raise UsageError(
                f"--set {key}: a secret does not belong on a command line", next="--from FILE, or --secrets-from-stdin"
            )
        part = key.split(".")
        if len(part) == 3 and part[0] == "components" and part[2] == "where":
            site.setdefault("components", {}).setdefault(part[1], {})["where"] = value
        elif key in SITE_KEYS:
            site[key] = value
        elif key.upper() == key:
            config[key] = typed(key, value)
        else:
            raise UsageError(f"--set {key}: no such key", words=unknown(key, [*SITE_KEYS, "components.NAME.where"]))
    for line in sys.stdin if stdin else ():
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            raise UsageError("standard input: expected lines of KEY=VALUE")
        config[key] = value
    return Answers(config, site)


def typed(key: str, value: str) -> Any:
    """Numbers for the keys that the legacy file holds as numbers; anything else stays text."""
    if key.endswith(("_PORT", "_UID", "_GID")) and value.isdigit():
        return int(value)
    return {"true": True, "false": False, "": None}.get(value, value)


def defaults(current: Mapping[str, Any]) -> dict[str, Any]:
    """Every key that the dialogue would write and that is not there: its default, or nothing."""
    out: dict[str, Any] = {}

    def ask(q: Mapping[str, Any]) -> None:
        if q["key"] not in current:
            out[q["key"]] = None if q.get("secret") else default(q)

    def hosts(prefix: str, like: str = "") -> None:
        for suffix in HOST_SUFFIXES:
            if prefix + suffix not in current:
                out[prefix + suffix] = current.get(like + suffix) if like else None

    for block in legacy()["dialogue"]:
        if "hosts" in block:
            hosts(block["hosts"])
        for near in block.get("near", ()):
            hosts(near["prefix"], near["of"])
            for q in near.get("ask", ()):
                ask(q)
        for q in block.get("ask", ()):
            ask(q)
    return out | fixed(current)


def fixed(current: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that the legacy tool wrote without a question, as far as they are not there."""
    return {k: expand(v) for k, v in legacy()["fixed"].items() if k not in current}


def default(question: Mapping[str, Any]) -> Any:
    """The legacy tool's default, "$login" and its like filled in."""
    return expand(question.get("default"))


def expand(value: Any) -> Any:
    """`$uid`, `$gid`, `$login` and `$home` of a default, filled in; any other value as it is."""
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value in ("$uid", "$gid"):
        return os.getuid() if value == "$uid" else os.getgid()
    return value.replace("$login", getpass.getuser()).replace("$home", str(Path.home()))
