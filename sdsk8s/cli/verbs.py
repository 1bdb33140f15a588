"""start, stop, reset, update of `sdsk8s`."""

from __future__ import annotations

from typing import Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import run_options, site_options
from sdsk8s.verbs.options import Options


def _run(
    verb: str,
    component: tuple[str, ...],
    *,
    config_only: bool = False,
    keep_dependencies: bool = False,
    stores: bool = False,
    reason: str = "",
    rollback: bool = True,
    **kw: Any,
) -> None:
    from sdsk8s.errors import UsageError
    from sdsk8s.model.target import parse_target
    from sdsk8s.verbs.conduct import operate
    from sdsk8s.verbs.session import Session

    options = Options(**kw)
    catalogue = Session(options).catalogue
    aims = [parse_target(name) for name in component]
    for aim in aims:  # a typo in the last name must not be found after the first one has been changed
        catalogue.select(aim.component)
        if aim.workload and not (aim.program and verb in ("start", "stop")):
            raise UsageError(f"{aim}: {verb} knows components", next=f"sdsk8s {verb} {aim.component}")
    codes = [
        operate(
            verb,
            aim.component,
            options,
            config_only=config_only,
            keep_dependencies=keep_dependencies,
            stores=stores,
            reason=reason,
            rollback=rollback,
            workload=aim.workload,
            program=aim.program,
        )
        for aim in aims
    ]
    raise click.exceptions.Exit(max(codes))


_component = click.argument("component", nargs=-1, required=True, shell_complete=complete_component)
reason_option = click.option("-m", "--reason", default="", metavar="TEXT", help="Why, for `history`.")
rollback_option = click.option(
    "--rollback/--no-rollback", default=True, help="After a failure, go back to the last revision.", show_default=True
)
_stores = click.option("--stores", is_flag=True, help="Also the stores that the components need.")


@click.command()
@_component
@site_options
@run_options
def start(component: tuple[str, ...], **kw: Any) -> None:
    """Start COMPONENT... or all: what is missing is applied, recorded replicas come back, pods are waited for.

    COMPONENT/WORKLOAD:PROGRAM starts a program that was stopped inside its pods.
    """
    _run("start", component, **kw)


@click.command()
@_component
@_stores
@site_options
@run_options
def stop(component: tuple[str, ...], stores: bool, **kw: Any) -> None:
    """Stop COMPONENT... or all: workers drain, replicas are recorded, claims stay bound.

    COMPONENT/WORKLOAD:PROGRAM stops a program inside its pods, which stay.
    """
    _run("stop", component, stores=stores, **kw)


@click.command()
@_component
@site_options
@run_options
def reset(component: tuple[str, ...], **kw: Any) -> None:
    """Reset COMPONENT... or all: stop, clear the queues and state that the component declares, start."""
    _run("reset", component, **kw)


@click.command()
@_component
@_stores
@click.option("-c", "--config-only", is_flag=True, help="Configuration only: no image is built or changed.")
@click.option("--copy", "copy_code", is_flag=True, help="Copy code into running pods instead (development).")
@click.option("--ndeps", is_flag=True, help="Keep the dependencies that run, whatever the trees require by now.")
@reason_option
@rollback_option
@site_options
@run_options
def update(
    component: tuple[str, ...], config_only: bool, copy_code: bool, ndeps: bool, stores: bool, **kw: Any
) -> None:
    """Update COMPONENT... or all from the site's tree and configuration. Stopped stays stopped."""
    if copy_code:
        from sdsk8s.verbs.update_copy import update_copy

        if config_only or ndeps or stores:
            raise click.UsageError("--copy brings code and nothing else: it goes with none of -c, --ndeps, --stores")
        options = {k: v for k, v in kw.items() if k not in ("reason", "rollback")}  # nothing is rolled out or recorded
        raise click.exceptions.Exit(update_copy(component, Options(**options)))
    _run("update", component, config_only=config_only, keep_dependencies=ndeps, stores=stores, **kw)
