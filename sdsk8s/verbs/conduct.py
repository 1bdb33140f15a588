"""The one way to run a plan: plan, show, ask, lock, plan again, run with a journal, table. All verbs use it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.backends.steps import Digests, Handlers, RunFacts
from sdsk8s.console import debug
from sdsk8s.console.kubectl_script import kubectl_script
from sdsk8s.console.plan_text import plan_head
from sdsk8s.console.report import error_lines, report_as_dict, report_lines
from sdsk8s.errors import RefusedError
from sdsk8s.planner.describe import plan_as_dict, plan_lines
from sdsk8s.planner.steps import Apply, Plan
from sdsk8s.runner.executor import Executor
from sdsk8s.runner.journal import Journal, new_run_id, who
from sdsk8s.runner.run import Report, run
from sdsk8s.verbs.session import Session

log = logging.getLogger("sdsk8s.plan")
EXIT_CODES = {"done": 0, "failed": 1, "partial": 3, "interrupted": 130}


@dataclass(frozen=True)
class Planned:
    """A plan, and the image digests {reference: digest} that it relies on."""

    plan: Plan
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WayBack:
    """What can be done about a failed run: a plan, or None, and sentences on what cannot be put back."""

    plan: Plan | None
    words: list[str]


@dataclass(frozen=True)
class Run:
    """What is conducted.

    plan      makes the plan; reads the world, changes nothing
    reason    the operator's words for the history
    question  asked instead of the verb's usual one
    locked    the run holds the site's lock; False for plans that touch no cluster
    way_back  called when the run has failed: how to undo what it broke
    """

    verb: str
    target: str
    plan: Callable[[], Planned]
    reason: str = ""
    question: str = ""
    locked: bool = True
    way_back: Callable[[Plan, Report], WayBack] | None = None


@dataclass(frozen=True)
class Back:
    """What was done about a failed run."""

    way: WayBack
    report: Report | None

    @property
    def state(self) -> str:
        if self.report is None or self.way.words:
            return "not rolled back"
        return "rolled back to the previous revision" if self.report.state() == "done" else "the rollback failed too"


def conduct(session: Session, what: Run) -> int:
    """Run it as the options say; returns the exit code."""
    options, console = session.options, session.console
    if not options.yes and not session.only_shows:
        console.need_terminal(what.verb)
    version = session.lock(who(), "").version() if what.locked and options.yes and not session.only_shows else ""
    planned = _decide(what)
    if session.only_shows:
        show(session, planned)
        return 0
    if planned.plan.empty:
        _nothing_to_do(session, planned.plan)
        return 0
    if not options.yes:
        for line in plan_head(planned.plan, plan_lines(planned.plan, by_hand=False)):
            console.note(line)
        if not (console.yes_or_no(what.question) if what.question else console.confirm(what.verb, what.target)):
            console.note("not confirmed: nothing was changed")
            return 0
    if not what.locked:
        return _finish(session, *_carry_out(session, what, planned, new_run_id()))
    run_id = new_run_id()
    _ensure_namespace(session, planned.plan)
    lock = session.lock(who(), f"{what.verb} {what.target}", run_id)
    with lock.held(options.lock_wait, console.note):
        # Another run may have ended between our first look and the lock; while a person thinks, so may much else.
        now = planned if version and lock.found == version else _decide(what)
        if not options.yes and plan_as_dict(now.plan) != plan_as_dict(planned.plan):
            raise RefusedError(
                "the cluster has changed since this plan was shown; nothing was changed",
                next=f"{what.verb} {what.target} again",
            )
        done = _carry_out(session, what, now, run_id)
    if lock.lost:
        console.note(f"warning: the lock was lost during the run: {lock.lost}")
    return _finish(session, *done)


def _decide(what: Run) -> Planned:
    planned = what.plan()
    _tell(planned.plan)
    return planned


def _tell(plan: Plan) -> None:
    if log.isEnabledFor(logging.DEBUG):
        for line in [*plan_head(plan, plan_lines(plan, by_hand=False)), *(f"note: {note}" for note in plan.notes)]:
            log.debug("%s", line)


def _carry_out(session: Session, what: Run, planned: Planned, run_id: str) -> tuple[Plan, Report, Back | None]:
    plan = planned.plan
    journal = Journal(session.home, run_id, plan)
    if session.options.debug:
        debug.to_file(journal.folder)
        _tell(plan)  # the file begins here
    author = {"who": who(), "verb": plan.verb, "reason": what.reason, "run": run_id}
    facts = RunFacts(Digests(planned.digests), journal.folder, session.options.timeout, author)
    executor = Executor(_openers(session, facts), facts.cancelled)

    def carry_out(some: Plan, record: Journal) -> Report:
        with session.console.progress(len(some.steps())) as progress:
            return run(some, executor, record, progress)

    report = carry_out(plan, journal)
    if what.way_back is None or not report.failed() or report.interrupted:
        return plan, report, None
    session.console.note(f"{plan.verb} {plan.target} has failed: {_first_cause(report)}")
    way = what.way_back(plan, report)
    if way.plan is None:
        return plan, report, Back(way, None) if way.words else None
    return plan, report, Back(way, carry_out(way.plan, Journal(session.home, f"{run_id}-back", way.plan)))


def _openers(session: Session, facts: RunFacts) -> dict[str, Callable[[], Handlers]]:
    """{back end: what opens it}. A back end is loaded when a plan has a step for it."""

    def kubernetes() -> Handlers:
        from sdsk8s.backends.kubernetes.steps import ClusterSteps

        return ClusterSteps(session.cluster, facts).handlers()

    def docker() -> Handlers:
        from sdsk8s.backends.docker.steps import handlers

        return handlers(session.images, facts)

    def bundles() -> Handlers:
        from sdsk8s.backends.bundles import handlers

        return handlers(session.bundles, facts)

    def aws() -> Handlers:
        from sdsk8s.backends.aws.steps import handlers

        return handlers(session.site)

    return {"kubernetes": kubernetes, "docker": docker, "bundles": bundles, "aws": aws}


def _first_cause(report: Report) -> str:
    return next((o.error.what for o in report.failed() if o.error is not None), "a step failed")


def _ensure_namespace(session: Session, plan: Plan) -> None:
    # The lock is an object in the namespace, so the namespace comes before the plan's first step.
    for step in plan.steps():
        if isinstance(step, Apply) and step.obj["kind"] == "Namespace":
            session.cluster.apply(step.obj)


def show(session: Session, planned: Planned) -> None:
    """The plan as the options ask for it: kubectl lines, JSON, or text with the command to type for each step."""
    plan, console = planned.plan, session.console
    if session.options.print_kubectl:
        console.print("\n".join(kubectl_script(plan, planned.digests)))
    elif session.options.output == "json":
        console.print_json(plan_as_dict(plan))
    else:
        for line in plan_head(plan, plan_lines(plan, by_hand=True)):
            console.print(line)


def _nothing_to_do(session: Session, plan: Plan) -> None:
    if session.options.output == "json":
        body = {"verb": plan.verb, "target": plan.target, "state": "unchanged", "notes": list(plan.notes), "steps": []}
        session.console.print_json(body)
        return
    for note in plan.notes:
        session.console.print(note)
    session.console.print(f"{plan.verb} {plan.target}: nothing to do")


def _finish(session: Session, plan: Plan, report: Report, back: Back | None) -> int:
    console = session.console
    if session.options.output == "json":
        body = report_as_dict(plan, report)
        if back is not None:
            body["rollback"] = _rollback_as_dict(back)
        console.print_json(body)
        return EXIT_CODES[report.state()]
    if back is not None:
        if back.way.plan is not None and back.report is not None:
            _print_report(session, back.way.plan, back.report)
        for word in back.way.words:
            console.print(f"note: {word}")
    _print_report(session, plan, report)
    if back is not None:
        console.print(f"{plan.verb} {plan.target}: {back.state}")
    return EXIT_CODES[report.state()]


def _print_report(session: Session, plan: Plan, report: Report) -> None:
    for line in error_lines(report):
        session.console.note(line)
    for line in report_lines(plan, report):
        session.console.print(line)


def _rollback_as_dict(back: Back) -> dict[str, Any]:
    way = report_as_dict(back.way.plan, back.report) if back.way.plan and back.report else None
    return {
        "state": back.state,
        "run": way and way["run"],
        "steps": way["steps"] if way else [],
        "notes": back.way.words,
    }
