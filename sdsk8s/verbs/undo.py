"""`undo`: components back to an earlier revision, images and configuration together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sdsk8s.errors import ImageError, RefusedError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.history import Revision, images_in
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired, differs, workloads
from sdsk8s.planner.undo import plan_undo
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import in_levels
from sdsk8s.verbs.selection import select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """revision: its number; None is the one before what runs. reason: for the history."""

    target: str
    revision: int | None = None
    reason: str = ""


def plan(session: Session, request: Request) -> Planned:
    """UsageError for an unknown revision, RefusedError where there is none to go back to or its image is lost."""
    chosen = select(session, "undo", request.target)
    live = session.observe()
    wanted: list[Desired] = []
    notes: list[str] = []
    for c in chosen:
        known = session.history.revisions(c.name)
        if not known and len(chosen) > 1 and not workloads(c, live):
            notes.append(f"{c.name} was never started")
            continue
        if not known:
            raise RefusedError(f"{c.name} has no recorded revision", target=c.name, next=f"sdsk8s history {c.name}")
        picked = _pick(session, c, known, live, request.revision)
        if picked is None:
            if len(chosen) == 1:
                raise RefusedError(
                    f"{c.name} has no revision earlier than the running one", next=f"sdsk8s history {c.name}"
                )
            notes.append(f"{c.name} has no revision earlier than the running one")
            continue
        objects, _ = session.history.load(picked)
        _refuse_lost_images(session, picked, objects, live)
        wanted.append(Desired(c, tuple(objects), {}))
        why = f": {picked.reason}" if picked.reason else ""
        notes.append(f"{c.name}: revision {picked.number} of {picked.when} by {picked.who}{why}")
        extra = set(workloads(c, live)) - {kube.key(o) for o in objects}
        notes += [f"{kind}/{name} is not part of that revision and is not changed" for kind, name in sorted(extra)]
    levels = in_levels(session, wanted)
    return Planned(plan_undo("undo", request.target, levels, live, session.site.namespace, tuple(notes)))


def run(session: Session, request: Request) -> int:
    select(session, "undo", request.target)  # wrong targets fail first
    if request.target == "all" and request.revision is not None:
        raise UsageError("a revision number needs one component, not all")
    return conduct(session, Run("undo", request.target, partial(plan, session, request), reason=request.reason))


def _refuse_lost_images(session: Session, revision: Revision, objects: Sequence[Object], live: Observed) -> None:
    """RefusedError when the site's registry has lost an image that no pod runs now: new pods would wait for it."""
    running = [obj for c in session.catalogue.ordered() for key in workloads(c, live) if (obj := live.get(*key))]
    runs = {str(c.get("image", "")) for obj in running for c in kube.containers(obj)}
    pinned = {f"{ref}@{digest}" for ref, digest in images_in(objects).items()} - runs
    for ref in sorted(r for r in pinned if r.startswith(f"{session.site.registry}/")):
        try:
            found = session.images.registry.digest(ref)
        except ImageError:
            return  # it cannot be asked from here: the nodes will
        if found is None:
            raise RefusedError(
                f"revision {revision.number} of {revision.component} needs an image that its registry no longer has",
                target=ref,
                words="nothing was changed",
                next=f"choose another revision: sdsk8s history {revision.component}",
            )


def _pick(
    session: Session, c: Component, known: Sequence[Revision], live: Observed, number: int | None
) -> Revision | None:
    if number is not None:
        for r in known:
            if r.number == number:
                return r
        numbers = ", ".join(str(r.number) for r in known)
        raise UsageError(
            f"{c.name} has no revision {number}", words=f"known: {numbers}", next=f"sdsk8s history {c.name}"
        )
    head = known[0]
    objects, _ = session.history.load(head)
    if any(differs(o, live) for o in objects if o["kind"] != "Job"):
        return head  # a run has died half-way: the last whole revision is what to go back to
    return next((r for r in known[1:] if r.content != head.content), None)
