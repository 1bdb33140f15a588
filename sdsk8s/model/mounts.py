"""Where in a pod a path lies: on a volume that may be written, or in the image. Pure."""

from __future__ import annotations

import posixpath
import re
import sys
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import RefusedError
from sdsk8s.model import kube
from sdsk8s.model.kube import Object

CODE = "/opt/sds"
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral", "hostPath", "nfs", "csi")


@dataclass(frozen=True)
class Place:
    """kind: volume, code, image (writable root), read-only (root), fixed (a mount that nothing can be written to).

    limit: bytes; the kubelet evicts a pod that has more in an emptyDir than its sizeLimit, or than the pod's limit of
    ephemeral storage.
    """

    kind: str
    mount: str
    writable: tuple[str, ...]
    limit: int = sys.maxsize


def place(pod: Object, container: str, path: str) -> Place:
    """Which of the pod's mounts a path is on, and what it may be used for."""
    spec = kube.spec(pod)
    box: Object = next((c for c in kube.main_containers(pod) if c["name"] == container), {})
    kinds = {v["name"]: next((k for k in v if k != "name"), "") for v in spec.get("volumes") or ()}
    mounts = {posixpath.normpath(m["mountPath"]): m for m in box.get("volumeMounts") or ()}
    free = {p for p, m in mounts.items() if kinds.get(m["name"]) in _WRITABLE and not m.get("readOnly")}
    writable = tuple(sorted(p for p in free if not _under(p, CODE)))
    path = posixpath.normpath(path)
    over = max((p for p in mounts if _under(path, p)), key=len, default="")
    if _under(path, CODE) and (over in free or not over):
        return Place("code" if over in free or not _locked(box) else "read-only", over, writable)
    if over:
        kind = "volume" if over in free else "fixed"
        return Place(kind, over, writable, _limit(pod, mounts[over]["name"]))
    return Place("read-only" if _locked(box) else "image", "", writable)


def check_place(found: Place, where: str, *, ephemeral: bool) -> None:
    """RefusedError for a path that lives in the image, unless it can be written and `ephemeral` says that it may."""
    volumes = ", ".join(found.writable) or "none"
    if found.kind == "fixed":
        raise RefusedError(
            f"{found.mount} is mounted read-only", target=where, words=f"writable volumes of this pod: {volumes}",
            next="to change configuration, edit the site's files and run sdsk8s update -c",
        )  # fmt: skip
    if found.kind == "read-only":
        raise RefusedError(
            "this path is in the image, and the pod's root is read-only", target=where,
            words=f"writable volumes of this pod: {volumes}",
            next="sdsk8s update COMPONENT builds a new image; for development set components.COMPONENT.develop: true in"
            " site.yaml, update once, then sdsk8s update COMPONENT --copy",
        )  # fmt: skip
    if found.kind in ("image", "code") and not ephemeral:
        raise RefusedError(
            "this path belongs to the image: a copy would be lost at the pod's next start", target=where,
            words=f"writable volumes of this pod: {volumes}",
            next="sdsk8s update builds a new image; --ephemeral copies anyway and marks the pod as drifted",
        )  # fmt: skip


def _limit(pod: Object, volume: str) -> int:
    volumes = kube.spec(pod).get("volumes") or ()
    found: Object | None = next((v.get("emptyDir") for v in volumes if v["name"] == volume), None)
    if found is None:
        return sys.maxsize
    own = _bytes(found.get("sizeLimit"))
    if found.get("medium"):  # of memory
        return own
    boxes = kube.main_containers(pod)
    limits = [((c.get("resources") or {}).get("limits") or {}).get("ephemeral-storage") for c in boxes]
    return min(own, sum(map(_bytes, limits)))


def _bytes(quantity: Any) -> int:
    """Bytes of a quantity such as 20Mi; one that is absent or cannot be read means no limit."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(?:([kMGTP])|([KMGTP])i)?", str(quantity or ""))
    if found is None:
        return sys.maxsize
    power = 1000 ** " kMGTP".index(found[2] or " ") * 1024 ** " KMGTP".index(found[3] or " ")
    return int(float(found[1]) * power)


def _locked(box: Object) -> bool:
    return bool((box.get("securityContext") or {}).get("readOnlyRootFilesystem"))


def _under(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")
