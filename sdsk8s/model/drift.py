"""The mark on a pod whose files are no longer those of its image. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import DRIFT


def mark(pod: Object, container: str, paths: Iterable[str], by: str, *, lasting: bool) -> str:
    """Value of the annotation, earlier marks kept. lasting: on a volume, which outlives a restart of the container."""
    old = _marks(pod)
    life = "" if lasting else instance(pod, container)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = [{"path": p, "container": container, "instance": life, "at": now, "by": by} for p in paths]
    kept = [m for m in old if (m.get("path"), m.get("container")) not in {(n["path"], container) for n in new}]
    return json.dumps([*kept, *new][-50:])


def drifted(pod: Object) -> str:
    """What differs from the image, in one line; empty when nothing does. A restarted container is its image again."""
    found = [m for m in _marks(pod) if m.get("instance") in ("", instance(pod, str(m.get("container"))))]
    if not found:
        return ""
    paths = ", ".join(str(m.get("path")) for m in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    last = found[-1]
    return f"{paths} copied over the image at {last.get('at')} by {last.get('by')}"


def _marks(pod: Object) -> list[dict[str, str]]:
    try:
        found = json.loads(kube.annotation(pod, DRIFT) or "[]")
    except ValueError:
        return []
    return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []


def instance(pod: Object, container: str) -> str:
    """Which life of the container: another one after each restart."""
    states = kube.container_statuses(pod)
    return next((str(c.get("containerID", "")) for c in states if c["name"] == container), "")
