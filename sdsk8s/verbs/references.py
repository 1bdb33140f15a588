"""Before anything is applied: every ConfigMap, Secret and key that the planned pods read is there, or will be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from sdsk8s.errors import ClusterError, RefusedError
from sdsk8s.lint.references import Missing, unresolved
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Plan
from sdsk8s.verbs.conduct import Planned
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


def checked(session: Session, plan: Plan, planned: Iterable[Desired], live: Observed) -> Planned:
    """The plan and its digests; RefusedError that names everything missing: pods would be created and never start.

    A plan that is only shown gets a note for each instead.
    """
    digests = {ref: digest for ref, digest in live.digests.items() if digest}
    missing = [] if plan.empty else missing_references(session, planned, live)
    if missing and not session.only_shows:
        raise RefusedError(
            f"{plan.verb} {plan.target}: missing ConfigMaps, Secrets or keys (listed below); nothing was changed",
            target=", ".join(dict.fromkeys(m.target for m in missing)),
            words="\n".join(f"{m.target}: {m.words}" for m in missing),
            next="create them, or correct the names in the manifest: sdsk8s lint",
        )
    notes = tuple(f"{m.target}: {m.words}" for m in missing)
    return Planned(dataclasses.replace(plan, notes=(*plan.notes, *notes)), digests)
