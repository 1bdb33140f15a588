"""Tagged references become digests: what runs is exactly what was built, whatever happens to the tag."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.bundle import ENV


def pin_digests(obj: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """A copy of the object whose known tagged references (images, bundles) end in `@sha256:...`."""
    clone: dict[str, Any] = copy.deepcopy(dict(obj))
    for c in kube.containers(clone):
        digest = digests.get(c.get("image", ""))
        if digest:
            c["image"] = f"{c['image']}@{digest}"
        for entry in c.get("env", ()):
            if entry["name"] == ENV and digests.get(entry.get("value", "")):
                entry["value"] = f"{entry['value']}@{digests[entry['value']]}"
    return clone
