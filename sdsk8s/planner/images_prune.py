"""`images prune`: stored images that nobody needs are removed, oldest first; a note says what stays, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sdsk8s.model.prune import Verdict, freed
from sdsk8s.model.text import size
from sdsk8s.planner.steps import Group, Node, Plan, RemoveImage, group

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def plan_prune(found: Sequence[Verdict], local: Iterable[str], namespace: str) -> Plan:
    """found: verdicts on the registry's images; local: tags of the engine that have no use either."""
    goes = sorted((v.image for v in found if not v.kept), key=lambda i: (i.created or _LONG_AGO, i.ref))
    bodies: list[Node] = [
        RemoveImage(f"not needed: {', '.join(i.tags) or 'no tag'}, {size(sum(i.blobs.values()))}", "registry", i.ref)
        for i in goes
    ]
    engine: list[Node] = [RemoveImage("not needed", "engine", ref) for ref in sorted(local)]
    notes = [f"{count} are kept: each {why}" for why, count in sorted(Counter(v.kept for v in found if v.kept).items())]
    if goes:
        notes.append(f"about {size(freed(found))} are freed at the registry's next garbage collection")
    both = [*group("registry", bodies), *group("engine", engine)]
    return Plan("prune", "images", namespace, Group("prune images", tuple(both)), tuple(notes))
