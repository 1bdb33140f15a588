"""`prune`: stops and deletes what this site no longer declares; data is kept."""

from __future__ import annotations

from functools import partial

from sdsk8s.model import kube
from sdsk8s.planner.prune import plan_prune
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import desired
from sdsk8s.verbs.session import Session

TARGET = "undeclared objects"


def plan(session: Session) -> Planned:
    """Every deployed component is rendered first: one that cannot be rendered fails here, and nothing is pruned."""
    live = session.observe()
    deployed = {kube.component(o) for objects in live.objects.values() for o in objects.values()}
    here = session.here(session.catalogue.ordered())
    found, live = desired(session, [c for c in here if c.name in deployed], live)
    declared = {kube.key(o) for w in found for o in w.objects}
    return Planned(plan_prune(TARGET, declared, {c.name for c in here}, live, session.site.namespace))


def run(session: Session) -> int:
    return conduct(session, Run("prune", TARGET, partial(plan, session)))
