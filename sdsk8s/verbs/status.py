"""`status`: what runs, where, since when; stores are asked by their own protocols."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sdsk8s.console.colour import wanted
from sdsk8s.console.status_text import status_lines
from sdsk8s.model.component import Component
from sdsk8s.model.status import SystemStatus, system_status
from sdsk8s.verbs.session import Session
from sdsk8s.verbs.status_probe import gather


def run(session: Session, targets: Sequence[str]) -> int:
    """Print the status of the targets; 1 when something that should run is not ready, else 0."""
    console, chosen = session.console, choose(session, targets)
    live, probes = gather(session, chosen)
    found = system_status(session.site, session.catalogue, chosen, live, probes, datetime.now(UTC))
    if session.options.json:
        console.print_json(status_as_dict(found))
    else:
        # Colours are decided here: click would strip them again when SDS_COLOR asks for them in a pipe.
        for line in status_lines(found, wanted()):
            console.print(line, color=True)
    return 0 if found.ok else 1


def status_as_dict(found: SystemStatus) -> dict[str, Any]:
    """Schema: docs/reference/schemas/status.schema.json."""
    return {"version": 1, **dataclasses.asdict(found)}


def choose(session: Session, names: Sequence[str]) -> list[Component]:
    """The components in the order asked for, each once. `all` includes the stores, but not for the legacy tool."""
    catalogue = session.catalogue
    out: list[Component] = []
    for name in names:
        if name == "all":
            out += catalogue.select("all", "status") if session.console.legacy else catalogue.ordered()
        else:
            out.append(catalogue.get(name))
    return list({c.name: c for c in out}.values())
