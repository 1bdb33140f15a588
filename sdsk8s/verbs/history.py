"""`history`: the recorded revisions of components."""

from __future__ import annotations

import dataclasses

from sdsk8s.model.history import Revision
from sdsk8s.verbs.session import Session

HEAD = ("COMPONENT", "REV", "WHEN", "WHO", "VERB", "IMAGES", "CONFIG", "REASON")


def run(session: Session, component: str) -> int:
    """Print the revisions of a component, or of all for "" and `all`, newest first."""
    name = "" if component in ("", "all") else session.catalogue.get(component).name
    found = session.history.revisions(name)
    if session.options.output == "json":
        session.console.print_json({"version": 1, "revisions": [dataclasses.asdict(r) for r in found]})
    elif found:
        session.console.print_table([HEAD, *map(_row, found)])
    else:
        session.console.print(f"no revision of {name or 'any component'} is recorded")
    return 0


def _row(r: Revision) -> tuple[str, ...]:
    images = " ".join(
        f"{ref.rpartition('/')[2].partition(':')[0]}@{digest[7:15] or '?'}" for ref, digest in r.images.items()
    )
    return (r.component, str(r.number), r.when, r.who, r.verb, images, r.config, r.reason)
