"""start, stop, reset, update and status with the legacy grammar."""

from __future__ import annotations

import os
from typing import Any

import click

from legacy_shim.choices import ALL, components
from legacy_shim.grammar import TYPES, Verb, argument, debug_option, flag, force_option, type_option
from sdsk8s.cli.options import Options


def operation(name: str, help: str) -> Verb:
    """start, stop or reset."""

    def call(component: str, kind: str, **kw: Any) -> int:
        refuse_type(name, kind)
        return _operate(name, component, **kw)

    params = [argument("component", components(name, ALL)), *_shared()]
    return Verb(name, help=help, params=params, callback=call)


def update(name: str, help: str) -> Verb:
    def call(component: str, kind: str, ndeps: bool, config_only: bool, **kw: Any) -> int:
        refuse_type(name, kind)
        if ndeps:
            click.echo("note: -n has no effect: dependencies are part of the image and are built with it", err=True)
        return _operate(name, component, config_only=config_only, **kw)

    params = [
        argument("component", components(name, ALL)),
        flag("-n", "--ndeps", "ndeps", "Accepted; dependencies are part of the image."),
        flag("-c", "--config-only", "config_only", "Configuration only: no image is built or changed."),
        *_shared(),
    ]
    return Verb(name, help=help, params=params, callback=call)


def status(name: str, help: str) -> Verb:
    def call(component: str, kind: str, debug: bool) -> int:
        refuse_type(name, kind)
        from sdsk8s.cli.status import show

        return show(component, _options(debug=debug or _outer_debug()), legacy=True)

    params = [
        argument("component", components(name, ALL), required=False, default=ALL),
        type_option(),
        debug_option(),
    ]
    return Verb(name, help=help, params=params, callback=call)


def _shared() -> list[click.Parameter]:
    return [force_option(), type_option(), debug_option(), flag("", "--dry-run", "dry_run", "Print the plan and stop.")]


def _operate(verb: str, component: str, *, force: bool, debug: bool, dry_run: bool, config_only: bool = False) -> int:
    from sdsk8s.cli.operate import operate

    options = _options(yes=force, debug=debug or _outer_debug(), dry_run=dry_run)
    return operate(verb, component, options, config_only=config_only, flag="-f", legacy=True)


def _outer_debug() -> bool:
    """-d before the verb."""
    return bool(click.get_current_context().find_root().params.get("debug"))


def _options(**kw: Any) -> Options:
    """Options that the legacy grammar has no letters for come from the variables that sdsk8s reads as well."""
    if kw.get("debug"):
        import logging

        logging.getLogger("sdsk8s").setLevel(logging.DEBUG)
    env = os.environ
    return Options(
        context=env.get("SDS_CONTEXT"), kubeconfig=env.get("SDS_KUBECONFIG"), namespace=env.get("SDS_NAMESPACE"),
        timeout=_seconds("SDS_TIMEOUT", Options.timeout), lock_wait=_seconds("SDS_LOCK_WAIT", Options.lock_wait), **kw,
    )  # fmt: skip


def _seconds(name: str, default: float) -> float:
    text = os.environ.get(name)
    try:
        return float(text) if text else default
    except ValueError:
        raise click.UsageError(f"{name} is not a number of seconds: {text}") from None


def refuse_type(verb: str, kind: str) -> None:
    """Only one type was ever implemented; the legacy tool said so for the other one as well, with exit code 1."""
    if kind != TYPES[0]:
        from sdsk8s.errors import RefusedError

        raise RefusedError(f"{verb} is not implemented for the type {kind}", next=f"the same command without -t {kind}")
