"""Reads `overrides.yaml` of a site."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.model.overrides import Overrides, overrides_from_dict
from sdsk8s.site.yamlfile import read_mapping


def load_overrides(home: Path) -> dict[str, Overrides]:
    """{image: Overrides}; none without the file. ConfigError for a source that is missing or leaves the folder."""
    path = home / "overrides.yaml"
    if not path.exists():
        return {}
    found = overrides_from_dict(read_mapping(path), str(path))
    root = home.resolve()
    for image, overrides in found.items():
        for override in overrides.files:
            source = (home / override.source).resolve()
            if not source.exists():
                raise ConfigError(f"the override {override.source} does not exist", target=f"{path}, {image}")
            if not source.is_relative_to(root):
                raise ConfigError(f"the override {override.source} is outside the site folder", target=str(path))
    return found
