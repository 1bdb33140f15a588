"""`sds start_tps|stop_tps`: the third-party services of a component, which are stores now."""

from __future__ import annotations

from functools import partial

from legacy_shim.console import legacy_session
from sdsk8s.errors import RefusedError
from sdsk8s.model.component import Component
from sdsk8s.verbs import start, stop
from sdsk8s.verbs.conduct import Run, conduct
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


def start_tps(options: Options, *, component: str) -> int:
    """Start the stores that the component needs, and wait until they answer."""
    session, stores = _stores("start_tps", component, options)
    return conduct(session, Run("start", component, partial(start.plan_of, session, component, stores)))


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
        session.console.note(f"note: {', '.join(s.name for s in stores)} also serve {', '.join(others)}")
    return conduct(session, Run("stop", component, partial(stop.plan_of, session, component, stores)))


def _stores(verb: str, component: str, options: Options) -> tuple[Session, list[Component]]:
    """Stores in the cluster, in starting order. RefusedError when there is none, with the reason."""
    session = legacy_session(options)
    chosen = [c for c in session.catalogue.select(component, verb) if not c.stub]
    wanted = session.catalogue.stores_of(chosen)
    here = session.here(wanted)
    for store in wanted:
        if store not in here:
            where = session.site.where(store.name)
            session.console.note(f"note: skipping {store.name}: managed outside this site (where: {where})")
    if not here:
        reason = "all of its stores are managed outside this site" if wanted else "it does not need a store"
        raise RefusedError(f"{verb} {component}: {reason}", target=f"{session.home}/site.yaml")
    return session, here
