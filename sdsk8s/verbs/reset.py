"""`reset`: stop, clear the queues and state that the component declares, start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.planner.reset import plan_reset
from sdsk8s.render.objects import namespace_object
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import desired, in_levels
from sdsk8s.verbs.references import checked
from sdsk8s.verbs.selection import needed_stores, select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    target: str


def plan(session: Session, request: Request) -> Planned:
    chosen = select(session, "reset", request.target)
    below, live = desired(session, needed_stores(session, chosen), session.observe())
    wanted, live = desired(session, chosen, live)
    namespace = namespace_object(session.site)
    found = plan_reset(request.target, in_levels(session, below), in_levels(session, wanted), live, namespace)
    return checked(session, found, [*below, *wanted], live)


def run(session: Session, request: Request) -> int:
    select(session, "reset", request.target)  # wrong targets fail first
    return conduct(session, Run("reset", request.target, partial(plan, session, request)))
