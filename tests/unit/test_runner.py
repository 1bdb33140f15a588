"""The runner: order, what happens after a failure, the journal on disk, secrets kept out of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sdsk8s.console.report import report_lines
from sdsk8s.errors import StepError
from sdsk8s.planner.steps import Apply, Delete, Group, Plan, Step
from sdsk8s.runner.journal import Journal, new_run_id, read_runs
from sdsk8s.runner.run import Outcome, Report, run


class Quiet:
    def begin(self, number: int, step: Step) -> None: ...
    def line(self, number: int, step: Step, text: str) -> None: ...
    def end(self, number: int, step: Step, outcome: Outcome) -> None: ...


class Recorder:
    """Executes by noting names; `act` may raise or sleep."""

    def __init__(self, act: Callable[[str], None] = lambda name: None) -> None:
        self.done: list[str] = []
        self.act = act
        self.lock = threading.Lock()

    def execute(self, step: Step, say: Callable[[str], None]) -> str:
        assert isinstance(step, Delete)
        self.act(step.name)
        with self.lock:
            self.done.append(step.name)
        return f"fact {step.name}"

    def cancel(self) -> None: ...


def step(name: str) -> Delete:
    return Delete("because", "Pod", name)


def execute(root: Group, home: Path, executor: Recorder) -> Report:
    plan = Plan("stop", "all", "sds", root)
    return run(plan, executor, Journal(home, new_run_id(), plan), Quiet())


def test_sequence_keeps_order_and_journal_has_intent_and_outcome(tmp_path: Path) -> None:
    executor = Recorder()
    report = execute(Group("g", (step("a"), step("b"))), tmp_path, executor)
    assert executor.done == ["a", "b"] and report.state() == "done"
    folder = tmp_path / "runs" / report.run_id
    lines = [json.loads(x) for x in (folder / "journal.jsonl").read_text().splitlines()]
    assert [(x["step"], x["event"]) for x in lines] == [(1, "begin"), (1, "done"), (2, "begin"), (2, "done")]
    assert lines[1]["fact"] == "fact a"
    assert json.loads((folder / "run.json").read_text())["state"] == "done"
    assert read_runs(tmp_path)[0]["run"] == report.run_id


def test_intent_is_on_disk_before_the_step_runs(tmp_path: Path) -> None:
    seen: list[str] = []

    def look(name: str) -> None:
        journal = next(tmp_path.glob("runs/*/journal.jsonl"))
        seen.append(json.loads(journal.read_text().splitlines()[-1])["event"])

    execute(Group("g", (step("a"),)), tmp_path, Recorder(look))
    assert seen == ["begin"]


def test_failure_stops_what_follows_and_says_what_was_not_tried(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        if name == "b":
            raise StepError("b is broken", words="server words")

    executor = Recorder(fail)
    report = execute(Group("g", (step("a"), step("b"), step("c"))), tmp_path, executor)
    assert [o.state for o in report.outcomes] == ["done", "failed", "not tried"]
    assert report.state() == "partial"
    assert report.failed()[0].error is not None and report.failed()[0].error.words == "server words"


def test_neighbours_of_a_failure_finish_and_nothing_new_starts(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=5)

    def act(name: str) -> None:
        both.wait()  # neither begins alone
        if name == "bad":
            raise StepError("bad")
        time.sleep(0.2)

    left = Group("left", (step("bad"), step("never")))
    right = Group("right", (step("slow"), step("late")))
    executor = Recorder(act)
    report = execute(Group("all", (Group("both", (left, right), parallel=True),)), tmp_path, executor)
    states = {o.step.name: o.state for o in report.outcomes if isinstance(o.step, Delete)}
    assert states == {"bad": "failed", "never": "not tried", "slow": "done", "late": "not tried"}


def test_parallel_children_really_overlap(tmp_path: Path) -> None:
    barrier = threading.Barrier(2, timeout=5)
    report = execute(
        Group("g", (Group("p", (step("a"), step("b")), parallel=True),)),
        tmp_path,
        Recorder(lambda name: barrier.wait()),
    )
    assert report.state() == "done"


def test_a_defect_in_the_executor_ends_in_the_table_not_in_a_traceback(tmp_path: Path) -> None:
    def act(name: str) -> None:
        raise ZeroDivisionError("oops")

    report = execute(Group("g", (step("a"),)), tmp_path, Recorder(act))
    assert report.state() == "failed"
    assert "oops" in str(report.failed()[0].error)


def test_record_holds_no_secret_and_is_private(tmp_path: Path) -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}}
    plan = Plan("update", "a", "sds", Group("g", (Apply("changed", secret, "update"),)))
    journal = Journal(tmp_path, new_run_id(), plan)
    journal.close("done")
    for file in journal.folder.iterdir():
        assert "aHVudGVyMg" not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
    assert json.loads((journal.folder / "plan.json").read_text())["plan"]["children"][0]["obj"]["data"] == {
        "password": "***"
    }


def test_the_table_says_how_long_a_component_took_and_not_the_sum_of_its_waits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Group(
        "g", (Group("start core", (step("a"), step("b"), step("c")), parallel=True), Group("later", (step("d"),)))
    )
    plan = Plan("start", "core", "sds", root)
    together = threading.Barrier(3, timeout=5)

    def act(name: str) -> None:
        if name != "d":
            together.wait()
            time.sleep(0.2)

    report = run(plan, Recorder(act), Journal(tmp_path, new_run_id(), plan), Quiet())
    rows = [line for line in report_lines(plan, report) if "3 done" in line]
    total = sum(o.seconds or 0.0 for o in report.outcomes)
    assert len(rows) == 1 and 0.2 <= float(rows[0].split()[-2]) <= total - 0.3
