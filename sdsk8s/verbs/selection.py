"""Which components a target means, and whether the verb may touch them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.model.component import Component
from sdsk8s.model.target import Target, parse_target
from sdsk8s.verbs.session import Session


def select(session: Session, verb: str, target: str, *, stores: bool = False) -> list[Component]:
    """Components in the cluster that the target means. RefusedError for those that the verb cannot touch.

    stores: also those that the components need.
    """
    chosen = session.catalogue.select(target, verb if session.console.legacy else "")
    if stores:
        chosen = [*chosen, *(c for c in session.catalogue.stores_of(chosen) if c not in chosen)]
    if target == "all":
        chosen = [c for c in chosen if not c.stub]
    for c in chosen:
        if c.stub:
            raise RefusedError(f"{verb} {c.name}: {c.stub}", target=c.name)
        if target != "all" and session.site.where(c.name) != "kubernetes" and not c.store:
            raise RefusedError(
                f"{c.name} does not run in the cluster (where: {session.site.where(c.name)})",
                target=f"{session.site.home}/site.yaml",
                next="use the tool that manages it, or change `where` in site.yaml",
            )
    return session.here(chosen)


def needed_stores(session: Session, chosen: list[Component]) -> list[Component]:
    """Stores in the cluster that the components need and that are not among them."""
    return [c for c in session.here(session.catalogue.stores_of(chosen)) if c not in chosen]


def each(
    session: Session, verb: str, names: Sequence[str], run: Callable[[Session, Target], int], *, programs: bool = False
) -> int:
    """Run the verb on one target after the other; the worst exit code.

    All names are checked first: a typo in the last one must not be found after the first one has been changed.
    programs: the verb also takes COMPONENT/WORKLOAD:PROGRAM.
    """
    aims = [parse_target(name) for name in names]
    for aim in aims:
        session.catalogue.select(aim.component)
        if aim.workload and not (aim.program and programs):
            raise UsageError(f"{verb} takes a component, not a workload: {aim}", next=f"sdsk8s {verb} {aim.component}")
    return max([run(session.again(), aim) for aim in aims])
