"""`lock`: who holds the site's lock, and releasing one that a dead run has left behind."""

from __future__ import annotations

import dataclasses

from sdsk8s.errors import RefusedError
from sdsk8s.runner.journal import who
from sdsk8s.verbs.session import Session

NOBODY = "nobody holds the lock"


def status(session: Session) -> int:
    """Print who holds the lock."""
    console, found = session.console, session.lock(who(), "lock release").status()
    if session.options.json:
        facts = dataclasses.asdict(found) if found else {}
        console.print_json({"version": 1, "held": found is not None, **facts})
    elif found is None:
        console.print(NOBODY)
    else:
        console.print(f"{'expired' if found.expired else 'held'}: {found.message}")
        console.print(f"  by {found.holder} since {found.since}, renewed {found.age:.0f} s ago")
    return 0


def release(session: Session, *, force: bool) -> int:
    """Release the lock. RefusedError when the run that holds it seems to be alive, unless force."""
    held = session.lock(who(), "lock release")
    found = held.status()
    if found is None:
        session.console.print(NOBODY)
        return 0
    if not found.expired and not force:
        raise RefusedError(
            f"a running run holds the lock: {found.message}",
            target=f"lock {held.name}",
            words=f"held by {found.holder} since {found.since}, renewed {found.age:.0f} s ago",
            next="wait until it ends; if you are sure that it is dead: sdsk8s lock release --force",
        )
    held.release(force=True)
    session.console.print(f"released: {found.message}, held by {found.holder}")
    return 0
