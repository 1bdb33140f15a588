"""Reads the catalogue: one folder per component, `component.yaml` and plain Kubernetes YAML beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.files.data import folder
from sdsk8s.files.yamlfile import read_all, read_mapping
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component, component_from_dict


def load_catalogue(extra: Iterable[str] = ()) -> Catalogue:
    """Components of the extra folders and of the shipped one; a folder named earlier wins whole components."""
    found: dict[str, Component] = {}
    for root in [*(Path(p).expanduser() for p in extra), folder("manifests")]:
        if not root.is_dir():
            raise ConfigError("this catalogue folder does not exist", target=str(root))
        for file in sorted(root.glob("*/component.yaml")):
            component = load_component(file)
            found.setdefault(component.name, component)
    for c in found.values():
        for need in c.needs:
            if need not in found:
                raise ConfigError(f'"{c.name}" needs "{need}", which no folder declares', target=c.folder)
    return Catalogue(found)


def load_component(file: Path) -> Component:
    """One component: its `component.yaml` and every other *.yaml of the folder, in name order."""
    manifests = []
    for path in sorted(file.parent.glob("*.yaml")):
        if path.name == file.name:
            continue
        for doc in read_all(path):
            if not isinstance(doc, dict) or "kind" not in doc or not doc.get("metadata", {}).get("name"):
                raise ConfigError("a Kubernetes object needs kind and metadata.name", target=str(path))
            manifests.append(doc)
    return component_from_dict(read_mapping(file), str(file), tuple(manifests))
