"""`sds start|stop|reset|update|status|ship`."""

from __future__ import annotations

from dataclasses import replace

from legacy_shim.console import LegacyConsole
from sdsk8s.verbs import reset as reset_verb
from sdsk8s.verbs import ship as ship_verb
from sdsk8s.verbs import start as start_verb
from sdsk8s.verbs import status as status_verb
from sdsk8s.verbs import stop as stop_verb
from sdsk8s.verbs import update as update_verb
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


def session(options: Options) -> Session:
    """A session that speaks as the legacy tool did."""
    return Session(options, LegacyConsole())


def start(options: Options, *, component: str) -> int:
    return start_verb.run(session(options), start_verb.Request(component))


def stop(options: Options, *, component: str) -> int:
    return stop_verb.run(session(options), stop_verb.Request(component))


def reset(options: Options, *, component: str) -> int:
    return reset_verb.run(session(options), reset_verb.Request(component))


def update(options: Options, *, component: str, ndeps: bool, config_only: bool) -> int:
    return update_verb.run(session(options), update_verb.Request(component, config_only, ndeps))


def ship(options: Options, *, encrypt: bool) -> int:
    """Never asked, and does not ask now."""
    return ship_verb.run(session(replace(options, yes=True)), ship_verb.Request(encrypt=encrypt))


def status(options: Options, *, component: str) -> int:
    return status_verb.run(session(options), (component,))
