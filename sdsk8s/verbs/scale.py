"""`scale`: the number of replicas of one workload; later updates keep it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from sdsk8s.errors import UsageError
from sdsk8s.model.component import Component
from sdsk8s.model.target import Target, parse_target
from sdsk8s.planner.scale import plan_scale
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.selection import select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """target: COMPONENT or COMPONENT/WORKLOAD."""

    target: str
    replicas: int


def plan(session: Session, request: Request) -> Planned:
    """RefusedError for what an autoscaler or a store's data layout decides."""
    aim, component = _aim(session, request)
    live = session.observe()
    scalers, hidden = session.autoscalers()
    live = replace(live, objects={**live.objects, **scalers})
    found = plan_scale(component, aim.workload, request.replicas, live, session.site.namespace)
    unread = [f"this account may not read {kind}s: an autoscaler could reverse this change" for kind in hidden]
    return Planned(replace(found, notes=(*found.notes, *unread)))


def _aim(session: Session, request: Request) -> tuple[Target, Component]:
    aim = parse_target(request.target)
    if aim.program or aim.everything:
        raise UsageError(f'"{request.target}" cannot be scaled', words="expected COMPONENT or COMPONENT/WORKLOAD")
    (component,) = select(session, "scale", aim.component)
    return aim, component


def run(session: Session, request: Request) -> int:
    _aim(session, request)  # wrong targets fail first
    return conduct(session, Run("scale", request.target, partial(plan, session, request)))
