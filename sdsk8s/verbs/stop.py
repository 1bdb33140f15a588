"""`stop`: workers drain, replicas are recorded, pods end; claims stay bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.model.component import Component
from sdsk8s.planner.stop import plan_stop
from sdsk8s.verbs import programs
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.selection import select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """stores: also those that the components need. workload, program: only that program, inside the pods."""

    target: str
    stores: bool = False
    workload: str = ""
    program: str = ""


def plan(session: Session, request: Request) -> Planned:
    chosen = select(session, "stop", request.target, stores=request.stores)
    if request.program:
        return programs.plan(session, "stop", chosen[0], request.workload, request.program)
    return plan_of(session, request.target, chosen)


def plan_of(session: Session, target: str, chosen: list[Component]) -> Planned:
    """The plan that stops exactly these components."""
    return Planned(plan_stop(target, session.catalogue.levels(chosen), session.observe(), session.site.namespace))


def run(session: Session, request: Request) -> int:
    select(session, "stop", request.target, stores=request.stores)  # wrong targets fail first
    return conduct(session, Run("stop", request.target, partial(plan, session, request)))
