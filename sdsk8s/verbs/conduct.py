"""start, stop, reset and update: plan, show, ask, lock, run, and the table at the end. One way for both front ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click

from sdsk8s.console.confirm import confirm, need_terminal
from sdsk8s.errors import RefusedError
from sdsk8s.model.component import Component
from sdsk8s.planner.describe import plan_as_dict, plan_lines
from sdsk8s.planner.kubernetes import workloads
from sdsk8s.planner.steps import Apply, Plan
from sdsk8s.render.objects import namespace_object
from sdsk8s.runner.run import Report
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


def operate(
    verb: str,
    target: str,
    options: Options,
    *,
    config_only: bool = False,
    keep_dependencies: bool = False,
    stores: bool = False,
    flag: str = "--yes",
    legacy: bool = False,
    reason: str = "",
    rollback: bool = True,
    revision: int | None = None,
    workload: str = "",
    program: str = "",
) -> int:
    """Run one verb on one target (a component, a store, or `all`). Returns the exit code.

    flag: how the front end calls the option that answers yes, for the refusal without a terminal.
    legacy: `all` is every component whose `verbs` include the verb, instead of every component.
    reason: the operator's words for the history.
    rollback: what a failed update or redeploy breaks goes back to its last revision.
    revision: of undo. workload: of restart. program: of restart, stop and start, inside the workload's pods.
    """
    session = Session(options)
    chosen = choose(session, verb, target, stores, legacy)
    make = partial(
        make_plan,
        session,
        verb,
        target,
        chosen,
        config_only=config_only,
        keep_dependencies=keep_dependencies,
        stores=stores,
        revision=revision,
        workload=workload,
        program=program,
    )
    put_back = rollback and verb in ("update", "redeploy")
    return plan_and_run(session, verb, target, make, options, flag, legacy=legacy, reason=reason, put_back=put_back)


Make = Callable[[], tuple[Plan, dict[str, str]]]


def plan_and_run(
    session: Session,
    verb: str,
    target: str,
    make: Make,
    options: Options,
    flag: str,
    *,
    legacy: bool = False,
    reason: str = "",
    put_back: bool = False,
) -> int:
    """Plan, show or ask, lock, plan again, run; the exit code. make: the plan and the digests that it relies on."""
    looks = options.dry_run or options.print_kubectl
    if not options.yes and not looks:
        need_terminal(verb, flag)
    before = _lock_version(session) if options.yes and not looks else ""
    plan, digests = make()
    if looks:
        show_plan(plan, digests, options)
        return 0
    if plan.empty:
        finish_empty(plan, options)
        return 0
    if not options.yes:
        show_plan_on(sys.stderr, plan)
        if not confirm(verb, target, legacy=legacy):
            click.echo("not confirmed: nothing was changed", err=True)
            return 0

    def current(found: str) -> tuple[Plan, dict[str, str]]:
        # Another run may have ended between our first look and the lock; while a person thinks, so may much else.
        return (plan, digests) if before and found == before else make()

    plan, report, back = _execute(session, plan, current, options, reason, put_back)
    return finish(plan, report, options, back)


def make_plan(
    session: Session,
    verb: str,
    target: str,
    chosen: list[Component],
    *,
    config_only: bool = False,
    keep_dependencies: bool = False,
    stores: bool = False,
    revision: int | None = None,
    workload: str = "",
    program: str = "",
) -> tuple[Plan, dict[str, str]]:
    """The plan and the image digests that it relies on. Reads the cluster, changes nothing."""
    from sdsk8s.verbs import revisions as rollouts

    if program:
        from sdsk8s.model.target import Target
        from sdsk8s.verbs import programs

        (component,) = chosen
        return programs.plan(session, verb, component, Target(target, workload, program)), {}
    if verb == "undo":
        return rollouts.undo(session, target, chosen, revision), {}
    if verb == "redeploy":
        return rollouts.redeploy(session, target, chosen), {}
    if verb == "restart":
        return rollouts.restart(session, target, chosen, workload), {}
    namespace = namespace_object(session.site)
    live = session.snapshot()
    if verb == "stop":
        from sdsk8s.planner.stop import plan_stop

        order = session.catalogue.levels(chosen)
        return plan_stop(target, order, live, session.site.namespace), {}
    needed = [c for c in session.here(session.catalogue.stores_of(chosen)) if c not in chosen]
    if verb == "update":
        from sdsk8s.planner.update import plan_update

        there = [c for c in needed if workloads(c, live)]
        below, live = session.desired(there, live, from_tree=False)
        wanted, live = session.desired(chosen, live, from_tree=not config_only, keep_dependencies=keep_dependencies)
        levels = session.levels(wanted)
        plan = plan_update(target, levels, live, namespace, config_only=config_only, stores=below)
        planned = [*below, *wanted]
        plan = rollouts.recorded(session, plan, [*below, *wanted], live, from_tree=not config_only)
    elif verb == "reset":
        from sdsk8s.planner.reset import plan_reset

        below, live = session.desired(needed, live, from_tree=False)
        wanted, live = session.desired(chosen, live, from_tree=False)
        plan = plan_reset(target, session.levels(below), session.levels(wanted), live, namespace)
        planned = [*below, *wanted]
    else:
        from sdsk8s.planner.start import plan_start

        wanted, live = session.desired([*needed, *chosen], live, from_tree=False)
        plan = plan_start(target, session.levels(wanted), live, namespace)
        planned = wanted
        plan = rollouts.recorded(session, plan, wanted, live, from_tree=False)
    if not plan.empty:
        from sdsk8s.verbs.references import missing_references, refuse_missing

        missing = missing_references(session, planned, live)
        if not (session.options.dry_run or session.options.print_kubectl):
            refuse_missing(missing, verb, target)
        plan = replace(plan, notes=(*plan.notes, *(f"{m.target}: {m.words}" for m in missing)))
    return plan, {ref: digest for ref, digest in live.digests.items() if digest}


def choose(session: Session, verb: str, target: str, stores: bool = False, legacy: bool = False) -> list[Component]:
    """Components in the cluster that the target means. RefusedError for those that the verb cannot touch."""
    chosen = session.catalogue.select(target, verb if legacy else "")
    if stores:
        chosen = [*chosen, *(c for c in session.catalogue.stores_of(chosen) if c not in chosen)]
    if target == "all":
        chosen = [c for c in chosen if not c.stub]
    for c in chosen:
        if c.stub:
            raise RefusedError(f"{verb} {c.name}: {c.stub}", target=c.name)
        if target != "all" and session.site.where(c.name) != "kubernetes" and not c.store:
            raise RefusedError(
                f"{c.name} does not live in the cluster (where: {session.site.where(c.name)})",
                target=f"{session.site.home}/site.yaml",
                next="use the tool that manages it, or change its `where`",
            )
    return session.here(chosen)


@dataclass(frozen=True)
class Back:
    """What was done about a failed run: plan and report of the way back, and what could not be put back."""

    plan: Plan | None
    report: Report | None
    words: list[str]

    @property
    def state(self) -> str:
        if self.report is None or self.words:
            return "not rolled back"
        return "rolled back to the revision before" if self.report.state() == "done" else "the rollback failed too"


def _execute(
    session: Session,
    shown: Plan,
    replan: Callable[[str], tuple[Plan, dict[str, str]]],
    options: Options,
    reason: str,
    put_back: bool,
) -> tuple[Plan, Report, Back | None]:
    """Take the lock, plan again on what the cluster is now, run. The plan that was run comes back with its report.

    replan: gets the version of the lock that was found.
    put_back: what a failed run has changed goes back to its last revision, under the same lock.
    """
    from sdsk8s.backends.kubernetes.leases import Lock
    from sdsk8s.console.progress import LiveProgress, plain
    from sdsk8s.runner.executor import ClusterExecutor
    from sdsk8s.runner.journal import Journal, new_run_id, who
    from sdsk8s.runner.run import run
    from sdsk8s.verbs.revisions import way_back

    run_id = new_run_id()
    _ensure_namespace(session, shown)
    message = f"{shown.verb} {shown.target}"
    lock = Lock(session.cluster, _lock_name(session), who(), message, run_id=run_id)
    with lock.held(options.lock_wait, lambda text: click.echo(text, err=True)):
        plan, digests = replan(lock.found)
        if not options.yes and plan_as_dict(plan) != plan_as_dict(shown):
            raise RefusedError(
                "the cluster has changed since this plan was shown; nothing was done", next=f"{message} again"
            )
        journal = Journal(session.home, run_id, plan)
        author = {"who": who(), "verb": plan.verb, "reason": reason, "run": run_id}
        executor = ClusterExecutor(
            session.cluster, session.images, digests, journal.folder, options.timeout, session.bundles, author
        )

        def carry_out(what: Plan, journal: Journal) -> Report:
            total = len(what.steps())
            live = LiveProgress(total) if sys.stderr.isatty() else None
            with live or nullcontext():
                return run(what, executor, journal, live or plain(total))

        report = carry_out(plan, journal)
        back: Back | None = None
        if report.failed() and not report.interrupted and put_back:
            click.echo(f"{message} has failed: {_first_cause(report)}", err=True)
            way, words = way_back(session, plan, report)
            if way is not None or words:
                done = None if way is None else carry_out(way, Journal(session.home, f"{run_id}-back", way))
                back = Back(way, done, words)
    if lock.lost:
        click.echo(f"warning: the lock was not held all the time: {lock.lost}", err=True)
    return plan, report, back


def _lock_name(session: Session) -> str:
    return f"sdsk8s-{session.site.name}"


def _lock_version(session: Session) -> str:
    from sdsk8s.backends.kubernetes.leases import lock_version

    return lock_version(session.cluster, _lock_name(session))


def _first_cause(report: Report) -> str:
    return next((o.error.what for o in report.failed() if o.error is not None), "a step failed")


def _ensure_namespace(session: Session, plan: Plan) -> None:
    # The lock is an object in the namespace, so the namespace comes before the plan's first step.
    for step in plan.steps():
        if isinstance(step, Apply) and step.obj["kind"] == "Namespace":
            session.cluster.apply(step.obj)


def show_plan(plan: Plan, digests: dict[str, str], options: Options) -> None:
    if options.print_kubectl:
        from sdsk8s.backends.kubernetes.script import kubectl_script

        click.echo("\n".join(kubectl_script(plan, digests)))
        return
    if options.output == "json":
        click.echo(json.dumps(plan_as_dict(plan), indent=2))
        return
    show_plan_on(sys.stdout, plan, kubectl=True)


def show_plan_on(out: Any, plan: Plan, *, kubectl: bool = False) -> None:
    click.echo(f"plan: {plan.verb} {plan.target} in namespace {plan.namespace}, {len(plan.steps())} steps", file=out)
    for line in plan_lines(plan, kubectl=kubectl):
        click.echo(line, file=out)
    for change in plan.changes:
        click.echo(f"change: {change}", file=out)
    for note in plan.notes:
        click.echo(f"note: {note}", file=out)


def finish_empty(plan: Plan, options: Options) -> None:
    if options.output == "json":
        body = {"verb": plan.verb, "target": plan.target, "state": "unchanged", "notes": list(plan.notes), "steps": []}
        click.echo(json.dumps(body, indent=2))
        return
    for note in plan.notes:
        click.echo(note)
    click.echo(f"{plan.verb} {plan.target}: nothing to do")


def finish(plan: Plan, report: Report, options: Options, back: Back | None = None) -> int:
    from sdsk8s.console.report import print_report, report_as_dict

    code = {"done": 0, "failed": 1, "partial": 3, "interrupted": 130}[report.state()]
    if options.output == "json":
        body = report_as_dict(plan, report)
        if back is not None:
            way = report_as_dict(back.plan, back.report) if back.plan and back.report else None
            body["rollback"] = {"state": back.state, "run": way and way["run"], "steps": way["steps"] if way else []}
            body["rollback"]["notes"] = back.words
        click.echo(json.dumps(body, indent=2))
        return code
    if back is not None and back.plan is not None and back.report is not None:
        print_report(back.plan, back.report)
    for word in back.words if back is not None else ():
        click.echo(f"note: {word}")
    print_report(plan, report)
    if back is not None:
        click.echo(f"{plan.verb} {plan.target}: {back.state}")
    return code
