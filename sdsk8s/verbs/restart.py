"""`restart`: new pods of components, of one workload, or of one program inside living pods; siblings stay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sdsk8s.errors import UsageError
from sdsk8s.model.names import unknown
from sdsk8s.planner.kubernetes import workloads
from sdsk8s.planner.restart import plan_restart
from sdsk8s.verbs import programs
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.selection import select
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """stores: also those that the components need. workload: only that one. program: only that, inside its pods."""

    target: str
    stores: bool = False
    workload: str = ""
    program: str = ""


def plan(session: Session, request: Request) -> Planned:
    """UsageError for a workload or program that does not exist."""
    chosen = select(session, "restart", request.target, stores=request.stores)
    if request.program:
        return programs.plan(session, "restart", chosen[0], request.workload, request.program)
    live = session.observe()
    known = [name for c in chosen for _, name in workloads(c, live)]
    if request.workload and request.workload not in known:
        words = unknown(request.workload, known)
        raise UsageError(f'no workload is called "{request.workload}"', target=request.target, words=words)
    levels = session.catalogue.levels(chosen)
    return Planned(plan_restart(request.target, levels, live, session.site.namespace, request.workload))


def run(session: Session, request: Request) -> int:
    select(session, "restart", request.target, stores=request.stores)  # wrong targets fail first
    return conduct(session, Run("restart", request.target, partial(plan, session, request)))
