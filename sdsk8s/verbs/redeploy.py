"""`redeploy`: new pods from the image that each recorded tag points to now."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.errors import RefusedError
from sdsk8s.model.history import images_in
from sdsk8s.planner.kubernetes import Desired, workloads
from sdsk8s.planner.redeploy import plan_redeploy, with_digests
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import in_levels
from sdsk8s.verbs.revisions import way_back
from sdsk8s.verbs.selection import select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """reason: for the history. rollback: after a failure, what it broke goes back to its last revision."""

    target: str
    reason: str = ""
    rollback: bool = True


def plan(session: Session, request: Request) -> Planned:
    """RefusedError for a component without a recorded revision, unless it is one of several that was never started."""
    chosen = select(session, "redeploy", request.target)
    live = session.observe()
    heads = session.history.newest()
    wanted: list[Desired] = []
    notes: list[str] = []
    for c in chosen:
        if c.name not in heads and len(chosen) > 1 and not workloads(c, live):
            notes.append(f"{c.name} was never started")
            continue
        if c.name not in heads:
            raise RefusedError(f"{c.name} has no recorded revision", target=c.name, next=f"sdsk8s update {c.name}")
        objects, _ = session.history.load(heads[c.name])
        refs = images_in(objects)
        now = {ref: session.images.foreign_digest(ref) for ref in refs}
        for ref, digest in sorted(refs.items()):
            if now[ref] is None:
                notes.append(f"{c.name}: the registry does not know {ref}; keeping its digest")
            elif now[ref] != digest:
                notes.append(f"{c.name}: {ref} now points to another image: {digest[7:19]} -> {str(now[ref])[7:19]}")
        wanted.append(Desired(c, with_digests(objects, now), {}))
    levels = in_levels(session, wanted)
    return Planned(plan_redeploy(request.target, levels, live, session.site.namespace, tuple(notes)))


def run(session: Session, request: Request) -> int:
    select(session, "redeploy", request.target)  # wrong targets fail first
    back = partial(way_back, session) if request.rollback else None
    make = partial(plan, session, request)
    return conduct(session, Run("redeploy", request.target, make, reason=request.reason, way_back=back))
