"""start, stop, reset, update of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.end import end
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.errors import UsageError
from sdsk8s.verbs import reset as reset_verb
from sdsk8s.verbs import start as start_verb
from sdsk8s.verbs import stop as stop_verb
from sdsk8s.verbs import update as update_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.selection import each
from sdsk8s.verbs.session import Session

_component = click.argument("component", nargs=-1, required=True, shell_complete=complete_component)
reason_option = click.option("-m", "--reason", default="", metavar="TEXT", help="Why, for `history`.")
rollback_option = click.option(
    "--rollback/--no-rollback", default=True, help="After a failure, go back to the last revision.", show_default=True
)
stores_option = click.option("--stores", is_flag=True, help="Include the stores that the components need.")


@click.command()
@_component
@site_options
@run_options
def start(component: tuple[str, ...], **kw: Any) -> None:
    """Start COMPONENT... or all: create what is missing, restore the last stop's replica counts, wait until ready.

    COMPONENT/WORKLOAD:PROGRAM starts one stopped program inside the running pods.
    """
    request = start_verb.Request
    end(
        each(
            Session(Options(**kw)),
            "start",
            component,
            lambda s, aim: start_verb.run(s, request(aim.component, aim.workload, aim.program)),
            programs=True,
        )
    )


@click.command()
@_component
@stores_option
@site_options
@run_options
def stop(component: tuple[str, ...], stores: bool, **kw: Any) -> None:
    """Stop COMPONENT... or all: drain workers, record replica counts, keep volumes.

    COMPONENT/WORKLOAD:PROGRAM stops one program; its pods keep running.
    """
    request = stop_verb.Request
    end(
        each(
            Session(Options(**kw)),
            "stop",
            component,
            lambda s, aim: stop_verb.run(s, request(aim.component, stores, aim.workload, aim.program)),
            programs=True,
        )
    )


@click.command()
@_component
@site_options
@run_options
def reset(component: tuple[str, ...], **kw: Any) -> None:
    """Reset COMPONENT... or all: stop, clear the declared queues and state, start."""
    request = reset_verb.Request
    end(each(Session(Options(**kw)), "reset", component, lambda s, aim: reset_verb.run(s, request(aim.component))))


@click.command()
@_component
@stores_option
@click.option("-c", "--config-only", is_flag=True, help="Configuration only: no image is built or changed.")
@click.option("--copy", "copy_code", is_flag=True, help="Copy code into running pods instead (development).")
@click.option("--ndeps", is_flag=True, help="Keep the installed dependencies, even if the trees require others now.")
@reason_option
@rollback_option
@site_options
@run_options
def update(component: tuple[str, ...], copy_code: bool, ndeps: bool, **kw: Any) -> None:
    """Update COMPONENT... or all from the site's tree and configuration. Stopped components stay stopped."""
    own = {name: kw.pop(name) for name in ("config_only", "stores", "reason", "rollback")}
    session = Session(Options(**kw))
    if copy_code:
        from sdsk8s.verbs.update_copy import update_copy

        if own["config_only"] or ndeps or own["stores"]:
            raise UsageError("--copy copies code only: do not combine it with -c, --ndeps or --stores")
        end(update_copy(component, session.options))
    request = update_verb.Request
    end(
        each(
            session,
            "update",
            component,
            lambda s, aim: update_verb.run(s, request(aim.component, keep_dependencies=ndeps, **own)),
        )
    )
