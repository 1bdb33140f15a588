"""Names of images: content tags, references, and their place in manifests. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.model.image import ImageSpec, refuse_moving
from sdsk8s.model.names import unknown

LOGICAL = "sds/"
TAG_LENGTH = 12


def content_tag(
    spec: ImageSpec, base_digest: str, files: Mapping[str, str], args: Mapping[str, str] | None = None
) -> str:
    """12 hex digits over everything that is part of an image: two equal inputs have one tag, on any machine.

    base_digest  tag or digest of what the image is built from ("" for nothing)
    files        {relative path: sha256}: the Dockerfile's folder and the source trees
    args         build arguments besides the spec's own
    """
    content = {
        "dockerfile": spec.dockerfile,
        "packages": sorted(spec.packages),
        "links": dict(spec.links),
        "args": {**spec.args, **(args or {})},
        "base": base_digest,
        "files": dict(files),
        "env": dict(spec.env),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:TAG_LENGTH]


def image_ref(registry: str, site_name: str, name: str, tag: str) -> str:
    """`REGISTRY/SITE/NAME:TAG`; without a registry `SITE/NAME:TAG`."""
    return "/".join(part for part in (registry.rstrip("/"), site_name, name) if part) + f":{tag}"


def pin(objects: Iterable[Mapping[str, Any]], references: Mapping[str, str]) -> list[dict[str, Any]]:
    """Copies of the objects with every `sds/NAME` of their pod templates replaced by references[NAME].

    ConfigError names the object, the container and the known names when a name has no reference, and refuses any
    other image whose tag moves.
    """
    out = []
    for obj in objects:
        clone: dict[str, Any] = copy.deepcopy(dict(obj))
        for container in kube.containers(clone):
            image = str(container.get("image", ""))
            if image.startswith(LOGICAL):
                container["image"] = _resolve(image.removeprefix(LOGICAL), references, clone, container)
            refuse_moving(container.get("image", ""), _place(clone, container))
        out.append(clone)
    return out


def _resolve(name: str, references: Mapping[str, str], obj: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    # a tag on a logical name would promise something that pinning takes away
    if name in references:
        return references[name]
    raise ConfigError(
        f'no image is known for "{LOGICAL}{name}"',
        target=_place(obj, container),
        words=unknown(name, references),
        next="name it in the component's `images:`",
    )


def _place(obj: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    return f"{kube.title(obj)}, container {container.get('name')}"
