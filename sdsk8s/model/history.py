"""Revisions of a component: what was rolled out, by whom, when and why. They live in the cluster, as Secrets.

The annotations of such a Secret say all that a listing needs, so that listing reads metadata alone; its data holds
the objects as they were applied (images by digest, configuration with its secret values) and the list of source files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.names import APPLIED, CONFIG_HASH

KEEP = 10
"""Revisions kept of each component."""
LABEL = "sdsk8s/history"
"""On the Secret of a revision: the component's name."""
_FACTS = "sdsk8s/revision-facts"

Trees = Mapping[str, Mapping[str, str]]
"""{image: {path of a source file: hash}}."""


@dataclass(frozen=True)
class Revision:
    """One line of `history`.

    number  counts from 1 in each component
    when    UTC, ISO 8601
    images  {reference with tag: digest, "" when it is not known}
    config  hash of the configuration that the pods read
    content fingerprint of everything that was applied
    """

    component: str
    number: int
    when: str = ""
    who: str = ""
    verb: str = ""
    reason: str = ""
    run: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    content: str = ""

    @property
    def name(self) -> str:
        """Name of its Secret."""
        return f"sdsk8s-history.{self.component}.{self.number}"

    def annotations(self) -> dict[str, str]:
        facts = {k: getattr(self, k) for k in ("when", "who", "verb", "reason", "run", "config", "content")}
        return {_FACTS: json.dumps({**facts, "number": self.number, "images": dict(self.images)}, sort_keys=True)}


def revision_of(secret: Object) -> Revision | None:
    """The revision that a Secret's metadata describes; None when it cannot be read."""
    meta = secret["metadata"]
    try:
        facts = json.loads((meta.get("annotations") or {})[_FACTS])
        return Revision(component=str(meta["labels"][LABEL]), **facts)
    except (KeyError, TypeError, ValueError):
        return None


def kept_digests(revisions: Iterable[Revision]) -> set[str]:
    """`HOST/REPOSITORY@sha256:...` of every image that an undo may need: these are not to be pruned."""
    return {f"{ref.rpartition(':')[0]}@{digest}" for r in revisions for ref, digest in r.images.items() if digest}


def images_in(objects: Iterable[Object]) -> dict[str, str]:
    """{reference with tag: digest or ""} of the workloads' containers."""
    found: dict[str, str] = {}
    for obj in objects:
        for c in kube.containers(obj):
            ref, _, digest = str(c.get("image", "")).partition("@")
            found[ref] = digest or found.get(ref, "")
    return found


def config_hash(objects: Iterable[Object]) -> str:
    """8 hex digits over the configuration hashes of all pod templates."""
    found = []
    for obj in objects:
        found.append(kube.annotation(kube.pod_template(obj), CONFIG_HASH))
    return _hash(sorted(found))[:8]


def fingerprint(objects: Iterable[Object], digests: Mapping[str, str | None] | None = None) -> str:
    """16 hex digits over the applied hashes and image digests; equal means that there is nothing to record.

    digests: of references that do not carry theirs yet
    """
    objects = list(objects)
    known = {ref: digest or (digests or {}).get(ref) or "" for ref, digest in images_in(objects).items()}
    rows = sorted((*kube.key(o), kube.annotation(o, APPLIED)) for o in objects)
    return _hash([rows, sorted(known.items())])[:16]


def _hash(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
