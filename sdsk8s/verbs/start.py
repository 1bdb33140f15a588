"""`start`: what is missing is created, recorded replicas come back, pods become ready."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.model.component import Component
from sdsk8s.planner.start import plan_start
from sdsk8s.render.objects import namespace_object
from sdsk8s.verbs import programs
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import desired, in_levels
from sdsk8s.verbs.references import checked
from sdsk8s.verbs.revisions import recorded
from sdsk8s.verbs.selection import needed_stores, select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """workload, program: only that program, inside the workload's pods."""

    target: str
    workload: str = ""
    program: str = ""


def plan(session: Session, request: Request) -> Planned:
    """Images and configuration stay what a component was last given; stores that it needs are started, too."""
    chosen = select(session, "start", request.target)
    if request.program:
        return programs.plan(session, "start", chosen[0], request.workload, request.program)
    return plan_of(session, request.target, [*needed_stores(session, chosen), *chosen])


def plan_of(session: Session, target: str, chosen: list[Component]) -> Planned:
    """The plan that starts exactly these components."""
    wanted, live = desired(session, chosen, session.observe())
    found = plan_start(target, in_levels(session, wanted), live, namespace_object(session.site))
    found = recorded(session, found, wanted, live, from_tree=False)
    return checked(session, found, wanted, live)


def run(session: Session, request: Request) -> int:
    select(session, "start", request.target)  # wrong targets fail first
    return conduct(session, Run("start", request.target, partial(plan, session, request)))
