"""What the legacy tool knew, read from the shipped `manifests/legacy.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from sdsk8s.site.data import folder
from sdsk8s.site.yamlfile import read_mapping


@cache
def legacy() -> Mapping[str, Any]:
    """The whole file; its own comments say what each part means."""
    return read_mapping(folder("manifests") / "legacy.yaml")


def questions() -> Iterator[Mapping[str, Any]]:
    """Every question of the dialogue that has a default or a secret; addresses are not among them."""
    for block in legacy()["dialogue"]:
        yield from block.get("ask", ())
        for near in block.get("near", ()):
            yield from near.get("ask", ())


def known_keys() -> set[str]:
    """Every key that the legacy tool asked, wrote or honoured."""
    keys = {str(q["key"]) for q in questions()} | set(legacy()["fixed"]) | set(legacy()["honoured"])
    for block in legacy()["dialogue"]:
        prefixes = [block["hosts"]] if "hosts" in block else []
        for prefix in [*prefixes, *(n["prefix"] for n in block.get("near", ()))]:
            keys |= addresses(prefix)
    return keys


def addresses(prefix: str) -> set[str]:
    """The three address keys of a host."""
    return {f"{prefix}_PVT_IP", f"{prefix}_PUB_IP", f"{prefix}_FQDN"}


def old_home(config: Mapping[str, Any]) -> str:
    """The operator's home on the legacy hosts, without a slash at its end; "" when the configuration names none."""
    return str(config.get(legacy()["hosts"]["home"]) or "").rstrip("/")


def old_source(config: Mapping[str, Any]) -> str:
    """The legacy source tree; "" when the configuration names no home."""
    home = old_home(config)
    return f"{home}/{legacy()['hosts']['source']}" if home else ""


def ssh_key(config: Mapping[str, Any]) -> str | None:
    """The file of the key by which the legacy hosts are reached, if there is one."""
    return config.get(legacy()["hosts"]["ssh_key"]) or None


def verdict(rules: Any, name: str) -> Mapping[str, Any]:
    """The first of the rules (`match`: pattern) that fits; {} when none does."""
    return next((r for r in rules if fnmatchcase(name, r["match"])), {})
