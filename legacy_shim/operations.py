"""start, stop, reset, update and status."""

from __future__ import annotations

import click

from sdsk8s.cli.options import Options


def start(options: Options, *, component: str) -> int:
    return _operate("start", component, options)


def stop(options: Options, *, component: str) -> int:
    return _operate("stop", component, options)


def reset(options: Options, *, component: str) -> int:
    return _operate("reset", component, options)


def update(options: Options, *, component: str, ndeps: bool, config_only: bool) -> int:
    if ndeps:
        click.echo("note: -n has no effect: dependencies are part of the image and are built with it", err=True)
    return _operate("update", component, options, config_only=config_only)


def status(options: Options, *, component: str) -> int:
    from sdsk8s.cli.status import show

    return show(component, options, legacy=True)


def _operate(verb: str, component: str, options: Options, *, config_only: bool = False) -> int:
    from sdsk8s.cli.operate import operate

    return operate(verb, component, options, config_only=config_only, flag="-f", legacy=True)
