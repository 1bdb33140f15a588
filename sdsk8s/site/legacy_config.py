"""Reads the legacy `config` with line numbers, and finds what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sdsk8s.errors import ConfigError
from sdsk8s.model.config_check import Knowledge, check_config
from sdsk8s.model.finding import BROKEN, Finding
from sdsk8s.site.legacy import known_keys, legacy
from sdsk8s.site.yamlfile import read_mapping


@dataclass(frozen=True)
class LegacyConfig:
    """values: as YAML reads them; lines: {key: 1-based line}; findings: in the order of the file."""

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]
    findings: tuple[Finding, ...]

    def refuse_broken(self) -> None:
        """ConfigError for the first value that no verb can work with."""
        for f in self.findings:
            if f.level == BROKEN:
                raise ConfigError(
                    f"{f.subject}: {f.words}",
                    target=f"{self.path}:{f.line}",
                    next=f.cure or "sdsk8s config check",
                )


def read_legacy_config(path: Path) -> LegacyConfig:
    """ConfigError for a file that is missing or no YAML mapping; anything else is a finding."""
    values = read_mapping(path)
    text = path.read_text()
    lines: dict[str, int] = {}
    plain: dict[str, str] = {}
    twice: list[Finding] = []
    root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    rows = text.splitlines()
    for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
        line = key.start_mark.line + 1
        if key.value in lines:
            words = f"duplicate key: this line is used, line {lines[key.value]} is ignored"
            twice.append(Finding(BROKEN, key.value, words, line=line, cure="remove one of the two lines"))
        lines[key.value] = line
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value:
            start, end = node.start_mark, node.end_mark
            rest = rows[start.line][start.column :].rstrip() if start.line == end.line else node.value
            plain[key.value] = rest if " #" in rest else node.value
    data = legacy()
    knowledge = Knowledge(known_keys(), data["mandatory"], data["one_of"], data["shapes"])
    found = check_config(values, lines, knowledge, plain)
    return LegacyConfig(path, values, lines, (*twice, *found))


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the text None, which the legacy tool stored for blank answers, as nothing."""
    out: dict[str, Any] = {k: None if v == "None" else v for k, v in values.items()}
    for key, hosts in out.items():
        if legacy()["shapes"].get(key) == "hosts" and isinstance(hosts, list):
            out[key] = [
                {k: None if v == "None" else v for k, v in h.items()} if isinstance(h, dict) else h for h in hosts
            ]
    return out
