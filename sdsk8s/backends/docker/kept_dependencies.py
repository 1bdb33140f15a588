"""`update --ndeps`: new code over the dependency layer that runs, whatever the trees require by now.

The code layer is built by itself; the image is then put together in the registry from the running image's other layers
and the new one. So the dependency layer is the same by its digest, and nothing is downloaded or installed.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.docker.recipe import Built, Recipe, Say
from sdsk8s.errors import ImageError

if TYPE_CHECKING:
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.backends.registry import Registry


def below_overrides(registry: Registry, ref: str) -> str:
    """The component's own image: `ref`, or what a site's overrides lie over."""
    labels = registry.labels(ref)
    if labels.get("sdsk8s.dockerfile") == "site":
        return labels["org.opencontainers.image.base.name"]
    return ref


def lower_layers(registry: Registry, ref: str) -> str:
    """Hash over every layer but the last, which is the code."""
    manifest, _ = registry.manifest(ref)
    digests = [layer["digest"] for layer in manifest["layers"][:-1]]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def compose(images: Images, image: str, ref: str, recipe: Recipe, say: Say, logs: Path) -> Built:
    """Build the code layer, put it over the layers of `recipe.kept`, store that as `ref`."""
    registry, code_ref = images.registry, f"{ref}-code"
    fact = images.make_code_layer(recipe, code_ref, say, logs)
    try:
        images.engine.push(code_ref, say)
        manifest, media_type = registry.manifest(recipe.kept)
        code_manifest, _ = registry.manifest(code_ref)
        config, code_config = registry.config(recipe.kept), registry.config(code_ref)
        if len(code_manifest["layers"]) != 1:
            raise ImageError("the code layer was not built as one layer", target=code_ref)
        config = over(config, code_config, images.labels_of(recipe, ref))
        body = json.dumps(config).encode()
        manifest = {
            **manifest,
            "layers": [*manifest["layers"][:-1], code_manifest["layers"][0]],
            "config": {
                **manifest["config"], "size": len(body), "digest": f"sha256:{hashlib.sha256(body).hexdigest()}",
            },
        }  # fmt: skip
        digest = registry.put_image(ref, body, manifest, media_type)
    finally:
        registry.delete(code_ref)
        images.engine.remove(code_ref)
    say(f"dependencies of {recipe.kept} kept")
    return Built(digest, f"{fact}; dependencies kept")


def over(config: Mapping[str, Any], code: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """The configuration of an image with another last layer."""
    out: dict[str, Any] = copy.deepcopy(dict(config))
    out["rootfs"]["diff_ids"][-1] = code["rootfs"]["diff_ids"][0]
    history = [step for step in code.get("history", ()) if not step.get("empty_layer")][-1:]
    last = max((i for i, step in enumerate(out.get("history", ())) if not step.get("empty_layer")), default=-1)
    if last >= 0 and history:
        out["history"][last] = history[0]
    out["created"] = code.get("created", out.get("created"))
    out.setdefault("config", {})["Labels"] = {**(out["config"].get("Labels") or {}), **labels}
    return out
