"""Asks the pods of a workload for their programs, for verbs on COMPONENT/WORKLOAD:PROGRAM."""

from __future__ import annotations

from sdsk8s.errors import RefusedError, StepError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.names import unknown
from sdsk8s.model.supervisord import askable
from sdsk8s.model.target import Target
from sdsk8s.planner.kubernetes import workloads
from sdsk8s.planner.programs import plan_programs
from sdsk8s.verbs.conduct import Planned
from sdsk8s.verbs.session import Session
from sdsk8s.verbs.status_probe import ask_supervisord


def plan(session: Session, verb: str, component: Component, workload: str, program: str) -> Planned:
    """UsageError for a workload or program that is not there, RefusedError when none of its pods has supervisord."""
    aim = Target(component.name, workload, program)
    known = [name for _, name in workloads(component, session.observe())]
    if aim.workload not in known:
        words = unknown(aim.workload, known)
        raise UsageError(f'no workload is called "{aim.workload}"', target=str(aim), words=words)
    every = session.cluster.list("Pod", f"{kube.NAME_LABEL}={aim.workload}")
    pods = [p for p in every if askable(p)]
    if not pods:
        raise RefusedError(
            f"{aim.workload} has no running pod with supervised programs",
            target=str(aim),
            next=f"sdsk8s {verb} {component.name}",
        )
    found = {}
    for pod in pods:
        programs = ask_supervisord(session.pod, pod)
        if isinstance(programs, str):
            raise StepError(programs, target=f"pod {kube.name(pod)}", next="sdsk8s status")
        found[(kube.name(pod), kube.default_container(pod))] = programs
    return Planned(plan_programs(verb, str(aim), aim.program, found, session.site.namespace))
