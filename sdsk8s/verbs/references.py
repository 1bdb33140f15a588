"""Before anything is applied: every ConfigMap, Secret and key that the planned pods read is there, or will be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sdsk8s.errors import ClusterError, RefusedError
from sdsk8s.lint.references import Missing, unresolved
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired

if TYPE_CHECKING:
    from sdsk8s.verbs.session import Session


def missing_references(session: Session, wanted: Iterable[Desired], live: Observed) -> list[Missing]:
    """What the objects read and nobody has. The cluster is asked about what the snapshot does not know: objects
    that somebody else made; what this account may not see counts as there."""
    objects = [o for w in wanted for o in w.objects]
    known = [o for kind in ("ConfigMap", "Secret") for o in live.objects.get(kind, {}).values()]
    found = unresolved(objects, known)
    if not found:
        return []
    others: dict[tuple[str, str], Object] = {}
    for kind, name in {(m.kind, m.name) for m in found}:
        try:
            obj = session.cluster.get(kind, name)
        except ClusterError:
            obj = {"metadata": {"name": name}}
        if obj is not None:
            others[(kind, name)] = {**obj, "kind": kind}
    return unresolved(objects, [*known, *others.values()])


def refuse_missing(found: list[Missing], verb: str, target: str) -> None:
    """RefusedError that names them all: the pods would be made and would never start."""
    if found:
        raise RefusedError(
            f"{verb} {target}: pods would wait for what is not there; nothing was done",
            target=", ".join(dict.fromkeys(m.target for m in found)),
            words="\n".join(f"{m.target}: {m.words}" for m in found),
            next="make them, or correct the names in the manifest: sdsk8s lint",
        )
