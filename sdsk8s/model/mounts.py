"""Where in a pod a path lies: on a volume that may be written, or in the image. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from sdsk8s.errors import RefusedError
from sdsk8s.model.live import Object

CODE = "/opt/sds"
_WRITABLE = ("emptyDir", "persistentVolumeClaim", "ephemeral", "hostPath", "nfs", "csi")


@dataclass(frozen=True)
class Place:
    """kind: volume, code, image (writable root), read-only (root), fixed (a mount that nothing can be written to)."""

    kind: str
    mount: str
    writable: tuple[str, ...]


def place(pod: Object, container: str, path: str) -> Place:
    """Which of the pod's mounts a path is on, and what it may be used for."""
    spec = pod.get("spec", {})
    box: Object = next((c for c in spec.get("containers") or () if c["name"] == container), {})
    kinds = {v["name"]: next((k for k in v if k != "name"), "") for v in spec.get("volumes") or ()}
    mounts = {posixpath.normpath(m["mountPath"]): m for m in box.get("volumeMounts") or ()}
    free = {p for p, m in mounts.items() if kinds.get(m["name"]) in _WRITABLE and not m.get("readOnly")}
    writable = tuple(sorted(p for p in free if not _under(p, CODE)))
    path = posixpath.normpath(path)
    over = max((p for p in mounts if _under(path, p)), key=len, default="")
    if _under(path, CODE) and (over in free or not over):
        return Place("code" if over in free or not _locked(box) else "read-only", over, writable)
    if over:
        return Place("volume" if over in free else "fixed", over, writable)
    return Place("read-only" if _locked(box) else "image", "", writable)


def check_place(found: Place, where: str, *, ephemeral: bool) -> None:
    """RefusedError for a path that lives in the image, unless it can be written and `ephemeral` says that it may."""
    volumes = ", ".join(found.writable) or "none"
    if found.kind == "fixed":
        raise RefusedError(
            f"{found.mount} is mounted read-only from the site's configuration", target=where,
            words=f"writable volumes of this pod: {volumes}", next="change it in the site and run sdsk8s update -c",
        )  # fmt: skip
    if found.kind == "read-only":
        raise RefusedError(
            "this path is in the image, and the pod's root is read-only", target=where,
            words=f"writable volumes of this pod: {volumes}",
            next="sdsk8s update COMPONENT makes a new image; for development set components.COMPONENT.develop: true in"
            " site.yaml, update once, then sdsk8s update COMPONENT --copy",
        )  # fmt: skip
    if found.kind in ("image", "code") and not ephemeral:
        raise RefusedError(
            "this path belongs to the image: a copy would be gone with the pod's next start", target=where,
            words=f"writable volumes of this pod: {volumes}",
            next="sdsk8s update makes a new image; --ephemeral copies all the same and marks the pod as drifted",
        )  # fmt: skip


def _locked(box: Object) -> bool:
    return bool((box.get("securityContext") or {}).get("readOnlyRootFilesystem"))


def _under(path: str, top: str) -> bool:
    return path == top or path.startswith(top.rstrip("/") + "/")
