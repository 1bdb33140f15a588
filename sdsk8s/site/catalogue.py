"""Reads the catalogue: one folder per component, `component.yaml` and plain Kubernetes YAML beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component, component_from_dict
from sdsk8s.model.image import OWN
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.overlay import DIRECTIVE, merge_component, merge_manifests
from sdsk8s.site.data import folder
from sdsk8s.site.yamlfile import read_all, read_mapping


def load_catalogue(extra: Iterable[str] = ()) -> Catalogue:
    """Components of the extra folders and of the shipped one.

    A component of a folder named earlier wins; with `extends: true` it is laid over the one of the later folders.
    """
    layers: dict[str, list[_Folder]] = {}
    for root in [*(Path(p).expanduser() for p in extra), folder("manifests")]:
        if not root.is_dir():
            raise ConfigError("this catalogue folder does not exist", target=str(root))
        for file in sorted(root.glob("*/component.yaml")):
            read = _read(file)
            layers.setdefault(read.name, []).append(read)
    found = {name: _component(stack) for name, stack in layers.items()}
    for c in found.values():
        for need in c.needs:
            if need not in found:
                raise ConfigError(f'"{c.name}" needs "{need}", but no catalogue folder declares it', target=c.folder)
    return Catalogue(found)


@dataclass(frozen=True)
class _Folder:
    """One component's folder as it was read."""

    name: str
    data: Mapping[str, Any]
    objects: tuple[dict[str, Any], ...]
    file: Path

    @property
    def extends(self) -> bool:
        return bool(self.data.get("extends", False))


def _read(file: Path) -> _Folder:
    """One folder: its `component.yaml` and every other *.yaml, in name order."""
    data = read_mapping(file)
    if not isinstance(data.get("name"), str):
        raise ConfigError('the key "name" is missing', target=str(file))
    objects = []
    for path in sorted(file.parent.glob("*.yaml")):
        if path.name == file.name:
            continue
        for doc in read_all(path):
            if not isinstance(doc, dict) or "kind" not in doc or not kube.name(doc):
                raise ConfigError("a Kubernetes object needs kind and metadata.name", target=str(path))
            if DIRECTIVE in doc and not data.get("extends"):
                raise ConfigError(f'"{DIRECTIVE}" needs `extends: true` in component.yaml', target=str(path))
            objects.append(doc)
    return _Folder(data["name"], data, tuple(objects), file)


def _component(stack: list[_Folder]) -> Component:
    """The first folder that stands alone, with those before it laid over, the earliest last."""
    above = []
    for entry in stack:
        above.append(entry)
        if not entry.extends:
            break
    base = above.pop()
    if base.extends:
        raise ConfigError(
            f'"{base.name}" extends a component that no later folder has',
            target=str(base.file),
            next="remove `extends`, or correct `name`",
        )
    data, objects = dict(base.data), base.objects
    for entry in reversed(above):
        try:
            data, objects = merge_component(data, entry.data), merge_manifests(objects, entry.objects)
        except (ValueError, TypeError, AttributeError, KeyError) as err:
            raise ConfigError(
                "these changes cannot be applied to the component", target=str(entry.file), words=str(err)
            ) from None
    for obj in objects:
        if odd := _odd(obj):
            where = str((above or [base])[0].file.parent)
            raise ConfigError(f"{obj['kind']}/{obj['metadata']['name']}: {odd}", target=where)
    data.pop("extends", None)
    folders = tuple(str(entry.file.parent) for entry in [*above, base])
    return _with_own_folders(component_from_dict(data, str((above or [base])[0].file), objects, folders))


def _with_own_folders(component: Component) -> Component:
    """Images whose `dockerfile` is `./FOLDER` get the path of that folder: the first that a catalogue folder has."""
    images = dict(component.images)
    for name, spec in images.items():
        if spec.dockerfile.startswith(OWN):
            places = [Path(folder) / spec.dockerfile for folder in component.folders]
            place = next((p for p in places if (p / "Dockerfile").is_file()), None)
            if place is None:
                raise ConfigError(
                    f"image {name}: expected a Dockerfile in {spec.dockerfile} beside component.yaml, found none",
                    target=" or ".join(str(p) for p in places),
                )
            images[name] = dataclasses.replace(spec, folder=str(place.resolve()))
    return dataclasses.replace(component, images=images)


def _odd(obj: Mapping[str, Any]) -> str:
    """What of an object is of another type than all that follows takes for granted, or ""."""
    places = ["metadata.labels", "metadata.annotations"]
    if obj["kind"] in (*WORKLOADS, "Job"):
        places += ["spec", "spec.template", "spec.template.metadata", "spec.template.spec"]
    for place in places:
        *above, last = place.split(".")
        holder: Any = obj
        for key in above:
            holder = holder.get(key, {})
        if last in holder and not isinstance(holder[last], Mapping):
            return f"{place} is not a mapping"
    if len(places) > 2:
        pod = obj.get("spec", {}).get("template", {}).get("spec", {})
        for key in ("initContainers", "containers"):
            found = pod.get(key, [])
            if not isinstance(found, list) or not all(isinstance(c, Mapping) and "name" in c for c in found):
                return f"spec.template.spec.{key} is not a list of mappings with a name"
    return ""
