"""`sds start|stop|reset|update|status|ship`."""

from __future__ import annotations

from dataclasses import replace

from legacy_shim.console import legacy_session
from sdsk8s.verbs import reset as reset_verb
from sdsk8s.verbs import ship as ship_verb
from sdsk8s.verbs import start as start_verb
from sdsk8s.verbs import status as status_verb
from sdsk8s.verbs import stop as stop_verb
from sdsk8s.verbs import update as update_verb
from sdsk8s.verbs.options import Options


def start(options: Options, *, component: str) -> int:
    return start_verb.run(legacy_session(options), start_verb.Request(component))


def stop(options: Options, *, component: str) -> int:
    return stop_verb.run(legacy_session(options), stop_verb.Request(component))


def reset(options: Options, *, component: str) -> int:
    return reset_verb.run(legacy_session(options), reset_verb.Request(component))


def update(options: Options, *, component: str, ndeps: bool, config_only: bool) -> int:
    return update_verb.run(legacy_session(options), update_verb.Request(component, config_only, ndeps))


def ship(options: Options, *, encrypt: bool) -> int:
    """As in the legacy tool, it does not ask."""
    return ship_verb.run(legacy_session(replace(options, yes=True)), ship_verb.Request(encrypt=encrypt))


def status(options: Options, *, component: str) -> int:
    return status_verb.run(legacy_session(options), (component,))
