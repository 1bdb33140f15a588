"""Verbs on single programs: which are chosen, in which pods, and what is no target."""

from __future__ import annotations

import pytest

from sdsk8s.errors import UsageError
from sdsk8s.model.supervisord import SupervisedProgram
from sdsk8s.planner.programs import plan_programs
from sdsk8s.planner.steps import Plan, Supervise

NAMES = ("log", "job_worker:job_worker-00", "job_worker:job_worker-01")
PODS = {(pod, "main"): [SupervisedProgram(pod, name, "RUNNING") for name in NAMES] for pod in ("p1", "p2")}


def chosen(plan: Plan) -> list[tuple[str, tuple[str, ...]]]:
    return [(s.pod, s.programs) for s in plan.steps() if isinstance(s, Supervise)]


@pytest.mark.parametrize(
    ("program", "names"), [("job_worker", NAMES[1:]), ("job_worker-01", NAMES[2:]), ("*", NAMES), ("log", NAMES[:1])]
)
def test_a_program_is_a_group_or_a_process_or_all_in_every_pod(program: str, names: tuple[str, ...]) -> None:
    plan = plan_programs("restart", "c/w:p", program, PODS, "ns")
    assert chosen(plan) == [("p1", names), ("p2", names)]
    assert plan.steps()[0].by_hand("ns").startswith("kubectl -n ns exec p1 -c main -- /opt/sds/venv/bin/supervisorctl ")


def test_an_unknown_program_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as err:
        plan_programs("stop", "c/w:job_workr", "job_workr", PODS, "ns")
    assert "job_worker" in err.value.words
