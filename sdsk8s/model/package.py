"""A package of the legacy `pkg` verbs: one container with its job specs, their inputs, and the site's user rules.

A tar file `<id with : as ->.sdspkg.tar` with one top folder holds `manifest.json` and the images. The manifest:

    containers   one object: the container's document; `url` is the image's file in the folder (may be absent)
    job_specs    documents; dependency_images[].container_image_url is a file in the folder
    hysds_ios    documents with id and component
    user_rules   optional: {side: [documents]}
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ConfigError

Document = dict[str, Any]
MANIFEST = "manifest.json"
SUFFIX = ".sdspkg"


@dataclass(frozen=True)
class Package:
    container: Document
    job_specs: tuple[Document, ...]
    hysds_ios: tuple[Document, ...]
    user_rules: Mapping[str, list[Document]]

    def payloads(self) -> dict[str, str]:
        """{file name in the package: where the image is}: the container's own, then those of dependencies."""
        found = dict(self.own())
        for spec in self.job_specs:
            for image in spec.get("dependency_images") or ():
                url = image.get("container_image_url")
                if url:
                    found.setdefault(posixpath.basename(url), url)
        return found

    def own(self) -> dict[str, str]:
        """The same for the container's own image alone; a container that is only a name has none."""
        url = self.container.get("url")
        return {posixpath.basename(url): url} if url else {}

    def moved(self, places: Mapping[str, str]) -> Package:
        """The same with each image at places[file name]; those that are not in it keep the bare file name."""

        def at(url: str) -> str:
            name = posixpath.basename(url)
            return places.get(name, name)

        container = dict(self.container)
        if container.get("url"):
            container["url"] = at(container["url"])
        specs = []
        for spec in self.job_specs:
            images = [
                {**i, "container_image_url": at(i["container_image_url"])} if i.get("container_image_url") else dict(i)
                for i in spec.get("dependency_images") or ()
            ]
            specs.append({**spec, "dependency_images": images} if "dependency_images" in spec else dict(spec))
        return Package(container, tuple(specs), self.hysds_ios, self.user_rules)

    def without_accounts(self) -> Package:
        """The same without the accounts that may use an input."""
        ios = tuple({k: v for k, v in io.items() if k != "allowed_accounts"} for io in self.hysds_ios)
        return Package(self.container, self.job_specs, ios, self.user_rules)

    def manifest(self) -> Document:
        """The object of manifest.json."""
        data: Document = {
            "containers": self.container, "job_specs": list(self.job_specs), "hysds_ios": list(self.hysds_ios),
        }  # fmt: skip
        if any(self.user_rules.values()):
            data["user_rules"] = {side: list(rules) for side, rules in self.user_rules.items()}
        return data


def folder_name(container_id: str) -> str:
    """Name of a package's top folder."""
    name = container_id.replace(":", "-").replace("/", "-") + SUFFIX
    if name.startswith("."):
        raise ConfigError(f'"{container_id}" is not a container id')
    return name


def package_from_dict(data: Any, where: str) -> Package:
    """Validate a manifest. ConfigError names the key."""
    if not isinstance(data, dict):
        raise ConfigError("the manifest is not an object", target=where)
    container = data.get("containers")
    if not isinstance(container, dict) or not container.get("id"):
        raise ConfigError('"containers" is not an object with an id', target=where)
    for key in ("job_specs", "hysds_ios"):
        found = data.get(key, [])
        if not isinstance(found, list) or not all(isinstance(d, dict) and d.get("id") for d in found):
            raise ConfigError(f'"{key}" is not a list of objects with ids', target=where)
    rules = data.get("user_rules") or {}
    if not isinstance(rules, dict) or not all(isinstance(r, list) for r in rules.values()):
        raise ConfigError('"user_rules" is not an object of lists', target=where)
    package = Package(container, tuple(data.get("job_specs", ())), tuple(data.get("hysds_ios", ())), rules)
    for name, url in package.payloads().items():
        if name != url or name in ("", ".", "..", MANIFEST):
            raise ConfigError(f'the image "{url}" is not a file of the package', target=where)
    return package
