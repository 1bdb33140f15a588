"""`sds start|stop|reset|update|status|ship`."""

from __future__ import annotations

from typing import Any

from sdsk8s.verbs.options import Options


def start(options: Options, *, component: str) -> int:
    return _operate("start", component, options)


def stop(options: Options, *, component: str) -> int:
    return _operate("stop", component, options)


def reset(options: Options, *, component: str) -> int:
    return _operate("reset", component, options)


def update(options: Options, *, component: str, ndeps: bool, config_only: bool) -> int:
    return _operate("update", component, options, config_only=config_only, keep_dependencies=ndeps)


def ship(options: Options, *, encrypt: bool) -> int:
    """Never asked, and does not ask now."""
    from dataclasses import replace

    from sdsk8s.cli.ship import ship as ship_queues

    return ship_queues((), replace(options, yes=True), encrypt=encrypt)


def status(options: Options, *, component: str) -> int:
    from sdsk8s.cli.status import show

    return show(component, options, legacy=True)


def _operate(verb: str, component: str, options: Options, **kw: Any) -> int:
    from sdsk8s.verbs.conduct import operate

    return operate(verb, component, options, flag="-f", legacy=True, **kw)
