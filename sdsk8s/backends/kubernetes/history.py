"""Keeps revisions of components as Secrets in the namespace; they survive the operator's disk."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError, StepError
from sdsk8s.model.history import KEEP, LABEL, Revision, Trees, revision_of
from sdsk8s.model.names import MANAGED_BY

_TYPE = "sdsk8s/revision"
_LIMIT = 1_000_000


def revisions(cluster: Cluster, component: str = "") -> list[Revision]:
    """Newest first, of one component or of all. Metadata alone travels."""
    found = [revision_of(o) for o in cluster.list_metadata("Secret", f"{LABEL}={component}" if component else LABEL)]
    return sorted((r for r in found if r is not None), key=lambda r: (r.component, r.number), reverse=True)


def kept_everywhere(cluster: Cluster) -> tuple[list[Revision], list[str]]:
    """(revisions of all components in all namespaces, `NAMESPACE/NAME` of those that cannot be read)."""
    secrets = cluster.within("").list_metadata("Secret", LABEL)
    found = [(revision_of(s), f"{s['metadata']['namespace']}/{s['metadata']['name']}") for s in secrets]
    return [r for r, _ in found if r is not None], [name for r, name in found if r is None]


def load_revision(cluster: Cluster, revision: Revision) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
    """(objects in apply order, source trees) of a revision."""
    secret = cluster.get("Secret", revision.name)
    if secret is None:
        raise ClusterError(f"revision {revision.number} of {revision.component} is gone", target=revision.name)
    body = json.loads(gzip.decompress(base64.b64decode(secret["data"]["revision"])))
    return body["objects"], body["trees"]


def save_revision(
    cluster: Cluster, revision: Revision, objects: Sequence[Mapping[str, Any]], trees: Trees | None
) -> Revision:
    """Write the next revision of the component; the oldest above the limit go. The number comes back.

    trees None: those of the revision before still hold.
    """
    there = revisions(cluster, revision.component)
    if trees is None:
        trees = load_revision(cluster, there[0])[1] if there else {}
    revision = dataclasses.replace(revision, number=there[0].number + 1 if there else 1)
    packed = gzip.compress(json.dumps({"objects": list(objects), "trees": trees}).encode(), mtime=0)
    if len(packed) > _LIMIT:
        raise StepError(
            f"a revision of {revision.component} takes {len(packed)} bytes, more than a Secret holds",
            next="move the large configuration file into the image",
        )
    labels = {LABEL: revision.component, MANAGED_BY: "sdsk8s"}
    meta = {"name": revision.name, "namespace": cluster.namespace, "labels": labels}
    try:
        cluster.create(
            {
                "apiVersion": "v1", "kind": "Secret", "type": _TYPE, "immutable": True,
                "metadata": {**meta, "annotations": revision.annotations()},
                "data": {"revision": base64.b64encode(packed).decode()},
            }
        )  # fmt: skip
    except ApiError as err:
        if err.code != 409:  # an answer that got lost: it is there
            raise
    for old in there[KEEP - 1 :]:
        cluster.delete("Secret", old.name)
    return revision
