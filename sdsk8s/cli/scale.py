"""`scale`: replicas of one workload."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.verbs.options import Options


@click.command()
@click.argument("target", shell_complete=complete_component)
@click.argument("replicas", type=click.IntRange(min=0))
@site_options
@run_options
def scale(target: str, replicas: int, **kw: Any) -> None:
    """Give TARGET, COMPONENT or COMPONENT/WORKLOAD, so many REPLICAS, and wait until they serve.

    Updates keep the number. Pods that are too many end as in a stop: workers drain first.
    """
    from sdsk8s.errors import UsageError
    from sdsk8s.model.target import parse_target
    from sdsk8s.planner.scale import plan_scale
    from sdsk8s.verbs.conduct import choose, plan_and_run
    from sdsk8s.verbs.session import Session

    aim = parse_target(target)
    if aim.program or aim.everything:
        raise UsageError(f'"{target}" cannot be scaled', words="COMPONENT or COMPONENT/WORKLOAD")
    options = Options(**kw)
    session = Session(options)
    (component,) = choose(session, "scale", aim.component)

    def make() -> Any:
        from sdsk8s.backends.kubernetes.autoscalers import autoscalers

        live = session.snapshot()
        scalers, hidden = autoscalers(session.cluster)
        live = replace(live, objects={**live.objects, **scalers})
        plan = plan_scale(component, aim.workload, replicas, live, session.site.namespace)
        unknown = [f"this account may not read {kind}s: one that scales it would undo this" for kind in hidden]
        return replace(plan, notes=(*plan.notes, *unknown)), {}

    raise click.exceptions.Exit(plan_and_run(session, "scale", target, make, options, "--yes"))
