"""`sds start_tps|stop_tps`: the third-party services of a component, which are stores now."""

from __future__ import annotations

from functools import partial

import click

from sdsk8s.errors import RefusedError
from sdsk8s.model.component import Component
from sdsk8s.verbs.conduct import make_plan, plan_and_run
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


def start_tps(options: Options, *, component: str) -> int:
    """Start the stores that the component needs, and wait until they answer."""
    session, stores = _stores("start_tps", component, options)
    make = partial(make_plan, session, "start", component, stores)
    return plan_and_run(session, "start", component, make, options, "-f", legacy=True)


def stop_tps(options: Options, *, component: str) -> int:
    """Stop them; their data stays on its claims. Other components that need them are named first."""
    session, stores = _stores("stop_tps", component, options)
    chosen = {c.name for c in session.catalogue.select(component, "stop_tps")}
    others = [
        c.name
        for c in session.here(session.catalogue.ordered())
        if not c.store
        and not c.stub
        and c.name not in chosen
        and any(s in session.catalogue.stores_of([c]) for s in stores)
    ]
    if others:
        click.echo(f"note: {', '.join(s.name for s in stores)} also serve {', '.join(others)}", err=True)
    make = partial(make_plan, session, "stop", component, stores)
    return plan_and_run(session, "stop", component, make, options, "-f", legacy=True)


def _stores(verb: str, component: str, options: Options) -> tuple[Session, list[Component]]:
    """Stores in the cluster, in starting order. RefusedError when there is none, with the reason."""
    session = Session(options)
    chosen = [c for c in session.catalogue.select(component, verb) if not c.stub]
    wanted = session.catalogue.stores_of(chosen)
    here = session.here(wanted)
    for store in wanted:
        if store not in here:
            where = session.site.where(store.name)
            click.echo(f"note: {store.name} is not ours to {verb.removesuffix('_tps')} (where: {where})", err=True)
    if not here:
        reason = "all of its stores belong to somebody else" if wanted else "it needs no store"
        raise RefusedError(f"{verb} {component}: {reason}", target=f"{session.home}/site.yaml")
    return session, here
