"""redeploy, restart, scale, undo and history of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.end import end
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.cli.verbs import reason_option, rollback_option, stores_option
from sdsk8s.model.target import parse_target
from sdsk8s.verbs import history as history_verb
from sdsk8s.verbs import redeploy as redeploy_verb
from sdsk8s.verbs import restart as restart_verb
from sdsk8s.verbs import scale as scale_verb
from sdsk8s.verbs import undo as undo_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@click.command()
@click.argument("component", shell_complete=complete_component)
@reason_option
@rollback_option
@site_options
@run_options
def redeploy(component: str, reason: str, rollback: bool, **kw: Any) -> None:
    """Restart the pods of COMPONENT (or all) with the image that each tag points to now. Volumes are kept."""
    end(redeploy_verb.run(Session(Options(**kw)), redeploy_verb.Request(component, reason, rollback)))


@click.command()
@click.argument("target", shell_complete=complete_component)
@stores_option
@site_options
@run_options
def restart(target: str, stores: bool, **kw: Any) -> None:
    """Restart the pods of TARGET: COMPONENT, COMPONENT/WORKLOAD or all. Nothing else changes.

    COMPONENT/WORKLOAD:PROGRAM restarts one program inside the running pods.
    """
    aim = parse_target(target)
    request = restart_verb.Request(aim.component, stores, aim.workload, aim.program)
    end(restart_verb.run(Session(Options(**kw)), request))


@click.command()
@click.argument("target", shell_complete=complete_component)
@click.argument("replicas", type=click.IntRange(min=0))
@site_options
@run_options
def scale(target: str, replicas: int, **kw: Any) -> None:
    """Set the number of REPLICAS of TARGET (COMPONENT or COMPONENT/WORKLOAD) and wait until they are ready.

    Updates keep the number. Surplus pods are stopped as by `stop`: workers drain first.
    """
    end(scale_verb.run(Session(Options(**kw)), scale_verb.Request(target, replicas)))


@click.command()
@click.argument("component", shell_complete=complete_component)
@click.argument("revision", type=click.IntRange(min=1), required=False)
@reason_option
@site_options
@run_options
def undo(component: str, revision: int | None, reason: str, **kw: Any) -> None:
    """Take COMPONENT (or all) back to REVISION, by default the one before: images and configuration together."""
    end(undo_verb.run(Session(Options(**kw)), undo_verb.Request(component, revision, reason)))


@click.command()
@click.argument("component", default="", required=False, shell_complete=complete_component)
@site_options
def history(component: str, **kw: Any) -> None:
    """List the revisions of COMPONENT or of every component, newest first."""
    end(history_verb.run(Session(Options(**kw)), component))
