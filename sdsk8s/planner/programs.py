"""restart, stop and start of supervised programs inside living pods: `COMPONENT/WORKLOAD:PROGRAM`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdsk8s.errors import UsageError
from sdsk8s.model.names import unknown
from sdsk8s.model.supervisord import SupervisedProgram
from sdsk8s.planner.steps import Group, Node, Plan, Supervise


def plan_programs(
    verb: str, target: str, program: str, found: Mapping[tuple[str, str], Sequence[SupervisedProgram]], namespace: str
) -> Plan:
    """One step per pod, one pod after the other.

    program: a group or a process of supervisord, or `*`. found: {(pod, container): its programs}.
    UsageError when no pod has the program.
    """
    steps: list[Node] = []
    known: set[str] = set()
    for (pod, container), programs in found.items():
        names = [p.name for p in programs]
        known |= {part for name in names for part in name.split(":")}
        chosen = tuple(n for n in names if program == "*" or program in n.split(":"))
        if chosen:
            steps.append(Supervise("requested", pod, container, verb, chosen))
    if not steps:
        raise UsageError(f'no program is called "{program}"', target=target, words=unknown(program, sorted(known)))
    note = "a new pod starts all of its programs, including stopped ones"
    return Plan(verb, target, namespace, Group(target, tuple(steps)), (note,) if verb == "stop" else ())
