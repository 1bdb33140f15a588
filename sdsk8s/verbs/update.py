"""`update`: new images from the tree and new configuration, rolled out where something changed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.planner.kubernetes import workloads
from sdsk8s.planner.update import plan_update
from sdsk8s.render.objects import namespace_object
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import Choice, desired, in_levels
from sdsk8s.verbs.references import checked
from sdsk8s.verbs.revisions import recorded, way_back
from sdsk8s.verbs.selection import needed_stores, select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """config_only: no image is built or changed. keep_dependencies: new code over the dependency layer that runs.

    stores: also those that the components need. reason: for the history.
    rollback: after a failure, what it broke goes back to its last revision.
    """

    target: str
    config_only: bool = False
    keep_dependencies: bool = False
    stores: bool = False
    reason: str = ""
    rollback: bool = True


def plan(session: Session, request: Request) -> Planned:
    """The configuration of the stores that the components need is followed; their images are not."""
    chosen = select(session, "update", request.target, stores=request.stores)
    live = session.observe()
    deployed = [c for c in needed_stores(session, chosen) if workloads(c, live)]
    below, live = desired(session, deployed, live)
    choice = Choice(from_tree=not request.config_only, keep_dependencies=request.keep_dependencies)
    wanted, live = desired(session, chosen, live, choice)
    levels, namespace = in_levels(session, wanted), namespace_object(session.site)
    found = plan_update(request.target, levels, live, namespace, config_only=request.config_only, stores=below)
    found = recorded(session, found, [*below, *wanted], live, from_tree=not request.config_only)
    return checked(session, found, [*below, *wanted], live)


def run(session: Session, request: Request) -> int:
    select(session, "update", request.target, stores=request.stores)  # wrong targets fail first
    back = partial(way_back, session) if request.rollback else None
    make = partial(plan, session, request)
    return conduct(session, Run("update", request.target, make, reason=request.reason, way_back=back))
