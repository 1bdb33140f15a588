"""Plans of requests to a cloud: shown, asked about, run with a journal. No cluster is needed, and no lock is held."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from sdsk8s.backends.steps import Say
from sdsk8s.console.confirm import need_terminal, yes_or_no
from sdsk8s.errors import StepError
from sdsk8s.model.site import Site
from sdsk8s.planner.steps import CloudCall, Plan, Step
from sdsk8s.verbs.conduct import finish, finish_empty, show_plan, show_plan_on
from sdsk8s.verbs.options import Options


@dataclass(frozen=True)
class CloudExecutor:
    """Does the requests of a plan with the site's credentials."""

    site: Site

    def execute(self, step: Step, say: Say) -> str:
        from sdsk8s.backends.aws.calls import send

        if not isinstance(step, CloudCall):
            raise StepError(f"{step.title()}: this is no request to a cloud")
        return send(self.site, step.service, step.operation, step.params, step.into, step.content)

    def cancel(self) -> None: ...


def carry_out(site: Site, plan: Plan, options: Options, question: str) -> int:
    """Show or ask, then run; the exit code. question: what is about to happen, such as "Creating a staging area"."""
    if options.dry_run or options.print_kubectl:
        show_plan(plan, {}, options)
        return 0
    if plan.empty:
        finish_empty(plan, options)
        return 0
    if not options.yes:
        need_terminal(plan.verb, "-f")
        show_plan_on(sys.stderr, plan)
        if not yes_or_no(f"{question}. Continue [y/n]", legacy=True):
            click.echo("not confirmed: nothing was changed", err=True)
            return 0
    from sdsk8s.console.progress import LiveProgress, plain
    from sdsk8s.runner.journal import Journal, new_run_id
    from sdsk8s.runner.run import run

    total = len(plan.steps())
    live = LiveProgress(total) if sys.stderr.isatty() else None
    with live or nullcontext():
        journal = Journal(Path(site.home), new_run_id(), plan)
        report = run(plan, CloudExecutor(site), journal, live or plain(total))
    return finish(plan, report, options)
