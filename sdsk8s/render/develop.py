"""Code on a writable volume, seeded from the image: what `update --copy` needs where roots are read-only."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.names import WORKLOADS
from sdsk8s.render.images import LOGICAL

CODE = "/opt/sds/ops"
_VOLUME = "sds-develop"


def writable_code(obj: Mapping[str, Any], component: Component) -> dict[str, Any]:
    """The workload with an emptyDir over the source trees of its main containers; anything else as it is.

    A new pod starts from its image again, a restarted container does not.
    """
    clone: dict[str, Any] = copy.deepcopy(dict(obj))
    if obj["kind"] not in WORKLOADS:
        return clone
    spec = kube.pod_spec(clone)
    for n, box in enumerate(c for c in spec["containers"] if _packages(c, component)):
        volume = f"{_VOLUME}-{n}" if n else _VOLUME
        seed = {
            "name": volume,
            "image": box["image"],
            "command": ["sh", "-c", f"cp -a {CODE}/* /develop/"],
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "4Mi"},
                "limits": {"memory": "128Mi", "ephemeral-storage": "1Gi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": volume, "mountPath": "/develop"}],
        }
        spec["initContainers"] = [seed, *spec.get("initContainers", ())]
        box["volumeMounts"] = [*box.get("volumeMounts", ()), {"name": volume, "mountPath": CODE}]
        spec["volumes"] = [*spec.get("volumes", ()), {"name": volume, "emptyDir": {"sizeLimit": "1Gi"}}]
    return clone


def _packages(box: Mapping[str, Any], component: Component) -> bool:
    spec = component.images.get(str(box.get("image", "")).removeprefix(LOGICAL))
    return spec is not None and bool(spec.packages)
