"""Keeps revisions of components as Secrets in the namespace; they survive the operator's disk."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.kubernetes.failures import ApiError
from sdsk8s.errors import ClusterError, StepError
from sdsk8s.model.history import KEEP, LABEL, Revision, Trees, revision_of
from sdsk8s.model.names import MANAGED_BY

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster

_TYPE = "sdsk8s/revision"
_LIMIT = 1_000_000


class History:
    """The revisions of one site's namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def revisions(self, component: str = "") -> list[Revision]:
        """Newest first, of one component or of all. Metadata alone travels."""
        selector = f"{LABEL}={component}" if component else LABEL
        found = [revision_of(o) for o in self._cluster.list_metadata("Secret", selector)]
        return sorted((r for r in found if r is not None), key=lambda r: (r.component, r.number), reverse=True)

    def newest(self) -> dict[str, Revision]:
        """{component: its newest revision}."""
        return {r.component: r for r in reversed(self.revisions())}

    def kept_everywhere(self) -> tuple[list[Revision], list[str]]:
        """(revisions of all components in all namespaces, `NAMESPACE/NAME` of those that cannot be read)."""
        secrets = self._cluster.within("").list_metadata("Secret", LABEL)
        found = [(revision_of(s), f"{s['metadata']['namespace']}/{s['metadata']['name']}") for s in secrets]
        return [r for r, _ in found if r is not None], [name for r, name in found if r is None]

    def load(self, revision: Revision) -> tuple[list[dict[str, Any]], dict[str, dict[str, str]]]:
        """(objects in apply order, source trees) of a revision."""
        secret = self._cluster.get("Secret", revision.name)
        if secret is None:
            raise ClusterError(f"revision {revision.number} of {revision.component} was deleted", target=revision.name)
        body = json.loads(gzip.decompress(base64.b64decode(secret["data"]["revision"])))
        return body["objects"], body["trees"]

    def save(self, revision: Revision, objects: Sequence[Mapping[str, Any]], trees: Trees | None) -> Revision:
        """Write the next revision of the component; the oldest above the limit are deleted. Returns it with its number.

        trees None: those of the revision before still hold.
        """
        cluster = self._cluster
        kept = self.revisions(revision.component)
        if trees is None:
            trees = self.load(kept[0])[1] if kept else {}
        revision = dataclasses.replace(revision, number=kept[0].number + 1 if kept else 1)
        packed = gzip.compress(json.dumps({"objects": list(objects), "trees": trees}).encode(), mtime=0)
        if len(packed) > _LIMIT:
            raise StepError(
                f"a revision of {revision.component} takes {len(packed)} bytes, more than a Secret holds",
                next="move the large configuration file into the image",
            )
        labels = {LABEL: revision.component, MANAGED_BY: "sdsk8s"}
        meta = {"name": revision.name, "namespace": cluster.namespace, "labels": labels}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": _TYPE,
            "immutable": True,
            "metadata": {**meta, "annotations": revision.annotations()},
            "data": {"revision": base64.b64encode(packed).decode()},
        }
        try:
            cluster.create(secret)
        except ApiError as err:
            if err.code != 409:  # the answer to an earlier try got lost: the Secret exists
                raise
        for old in kept[KEEP - 1 :]:
            cluster.delete("Secret", old.name)
        return revision
