"""Plans that look at recorded revisions: undo, redeploy, restart, and the way back from a failed update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sdsk8s.errors import ClusterError, ImageError, RefusedError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.history import Revision, Trees
from sdsk8s.model.kube import Object
from sdsk8s.model.observed import Observed
from sdsk8s.planner import kubernetes as parts
from sdsk8s.planner.history import plan_back, plan_redeploy, plan_restart, with_digests, with_records
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.steps import Apply, Group, Node, Plan, Record, Step, WaitReady, walk
from sdsk8s.runner.run import Report

if TYPE_CHECKING:
    from sdsk8s.verbs.session import Session

HASH = 12
"""Hex digits that are kept of each source file."""


def newest(session: Session) -> dict[str, Revision]:
    """{component: its newest revision}."""
    from sdsk8s.backends.kubernetes.history import revisions

    return {r.component: r for r in reversed(revisions(session.cluster))}


def recorded(session: Session, plan: Plan, wanted: list[Desired], live: Observed, *, from_tree: bool) -> Plan:
    """A plan of start or update with its Record steps, and what it changes against the newest revisions."""
    from sdsk8s.backends.kubernetes.history import load_revision
    from sdsk8s.render.changes import config_changes, tree_changes

    heads = newest(session)
    trees: dict[str, Trees] = {}
    for w in wanted:
        if from_tree or not parts.workloads(w.component, live):
            trees[w.component.name] = session.images.trees(w.builds)
    plan = with_records(plan, wanted, live, heads, trees)
    lines = []
    changed = {s.component for s in plan.steps() if isinstance(s, Record)}
    for w in wanted:
        name = w.component.name
        if plan.verb != "update" or name not in changed or name not in heads:
            continue
        try:
            objects, old = load_revision(session.cluster, heads[name])
        except ClusterError as err:
            lines.append(f"{name}: what was rolled out last cannot be read: {err.what}")
            continue
        found = [*tree_changes(old, trees.get(name, old)), *config_changes(objects, w.objects)]
        lines += [f"{name}: {line}" for line in found or ["the same files and configuration as recorded"]]
    return Plan(plan.verb, plan.target, plan.namespace, plan.root, plan.notes, tuple(lines))


def undo(session: Session, target: str, chosen: list[Component], number: int | None) -> Plan:
    """Back to revision `number`, or to the one before what runs."""
    from sdsk8s.backends.kubernetes.history import load_revision, revisions

    live = session.snapshot()
    wanted: list[Desired] = []
    notes: list[str] = []
    for c in chosen:
        there = revisions(session.cluster, c.name)
        if not there and len(chosen) > 1 and not parts.workloads(c, live):
            notes.append(f"{c.name} was never started")
            continue
        if not there:
            raise RefusedError(f"{c.name} has no recorded revision", target=c.name, next=f"sdsk8s history {c.name}")
        chosen_one = _pick(session, c, there, live, number)
        if chosen_one is None:
            if len(chosen) == 1:
                raise RefusedError(f"{c.name} has no earlier revision than what runs", next=f"sdsk8s history {c.name}")
            notes.append(f"{c.name} has no earlier revision than what runs")
            continue
        objects, _ = load_revision(session.cluster, chosen_one)
        _refuse_gone(session, chosen_one, objects, live)
        wanted.append(Desired(c, tuple(objects), {}))
        why = f": {chosen_one.reason}" if chosen_one.reason else ""
        notes.append(f"{c.name}: revision {chosen_one.number} of {chosen_one.when} by {chosen_one.who}{why}")
        extra = set(parts.workloads(c, live)) - {kube.key(o) for o in objects}
        notes += [f"{kind}/{name} is not in that revision and stays as it is" for kind, name in sorted(extra)]
    return plan_back("undo", target, session.levels(wanted), live, session.site.namespace, tuple(notes))


def _refuse_gone(session: Session, revision: Revision, objects: Sequence[Object], live: Observed) -> None:
    """RefusedError when the site's registry says that it has lost an image which nothing runs now: pods would wait."""
    from sdsk8s.model.history import images_in

    there = [obj for c in session.catalogue.ordered() for key in parts.workloads(c, live) if (obj := live.get(*key))]
    runs = {image for obj in there for image in kube.images(obj)}
    pinned = {f"{ref}@{digest}" for ref, digest in images_in(objects).items()} - runs
    for ref in sorted(r for r in pinned if r.startswith(f"{session.site.registry}/")):
        try:
            found = session.images.registry.digest(ref)
        except ImageError:
            return  # it cannot be asked from here: the nodes will
        if found is None:
            raise RefusedError(
                f"revision {revision.number} of {revision.component} needs an image that its registry no longer has",
                target=ref, words="nothing was changed", next=f"sdsk8s history {revision.component}: another revision",
            )  # fmt: skip


def _pick(
    session: Session, c: Component, there: Sequence[Revision], live: Observed, number: int | None
) -> Revision | None:
    from sdsk8s.backends.kubernetes.history import load_revision

    if number is not None:
        for r in there:
            if r.number == number:
                return r
        known = ", ".join(str(r.number) for r in there)
        raise UsageError(
            f"{c.name} has no revision {number}", words=f"there are: {known}", next=f"sdsk8s history {c.name}"
        )
    head = there[0]
    objects, _ = load_revision(session.cluster, head)
    if any(parts.differs(o, live) for o in objects if o["kind"] != "Job"):
        return head  # a run has died half-way: the last whole revision is what to go back to
    return next((r for r in there[1:] if r.content != head.content), None)


def redeploy(session: Session, target: str, chosen: list[Component]) -> Plan:
    """New pods from what each recorded tag means now."""
    from sdsk8s.backends.kubernetes.history import load_revision
    from sdsk8s.model.history import images_in

    live = session.snapshot()
    heads = newest(session)
    wanted: list[Desired] = []
    notes: list[str] = []
    for c in chosen:
        if c.name not in heads and len(chosen) > 1 and not parts.workloads(c, live):
            notes.append(f"{c.name} was never started")
            continue
        if c.name not in heads:
            raise RefusedError(f"{c.name} has no recorded revision", target=c.name, next=f"sdsk8s update {c.name}")
        objects, _ = load_revision(session.cluster, heads[c.name])
        refs = images_in(objects)
        now = {ref: session.images.foreign_digest(ref) for ref in refs}
        for ref, digest in sorted(refs.items()):
            if now[ref] is None:
                notes.append(f"{c.name}: the registry does not tell what {ref} is now; its digest is kept")
            elif now[ref] != digest:
                notes.append(f"{c.name}: {ref} is another image by now: {digest[7:19]} -> {str(now[ref])[7:19]}")
        wanted.append(Desired(c, with_digests(objects, now), {}))
    return plan_redeploy(target, session.levels(wanted), live, session.site.namespace, tuple(notes))


def restart(session: Session, target: str, chosen: list[Component], workload: str) -> Plan:
    live = session.snapshot()
    if workload:
        known = [name for c in chosen for _, name in parts.workloads(c, live)]
        if workload not in known:
            from sdsk8s.model.names import unknown

            raise UsageError(f'no workload is called "{workload}"', target=target, words=unknown(workload, known))
    return plan_restart(target, session.catalogue.levels(chosen), live, session.site.namespace, workload)


def way_back(session: Session, plan: Plan, report: Report) -> tuple[Plan | None, list[str]]:
    """After a failed run: (plan that brings what it broke back to its last revision, sentences on what it cannot).

    A component whose own steps all went well stays new and is recorded; others are put back as a whole.
    """
    from sdsk8s.backends.kubernetes.history import load_revision

    states = {id(o.step): o.state for o in report.outcomes}
    heads = newest(session)
    back: list[Desired] = []
    keep: list[Node] = []
    words: list[str] = []
    by_name = {c.name: c for c in session.catalogue.ordered()}
    for record, steps in _sections(plan.root):
        # A section without any Apply finishes what a killed run has applied: its wait is all that can fail.
        begun = any(isinstance(s, Apply | WaitReady) and states[id(s)] != "not tried" for s in steps)
        if not begun or states[id(record)] == "done":
            continue
        if all(states[id(s)] == "done" for s in steps):
            keep.append(record)
        elif record.component not in heads:
            words.append(f"{record.component} has no earlier revision to go back to; it stays as the failure left it")
        else:
            objects, _ = load_revision(session.cluster, heads[record.component])
            back.append(Desired(by_name[record.component], tuple(objects), {}))
    if not back and not keep:
        return None, words
    found = plan_back("roll back", plan.target, session.levels(back), session.snapshot(), session.site.namespace)
    # The revision that is restored is in the history already.
    root = _without_records(found.root)
    root = Group(root.title, (*keep, *root.children))
    return (Plan("roll back", plan.target, found.namespace, root) if root.children else None), words


def _sections(node: Group) -> list[tuple[Record, list[Step]]]:
    """Every Record with the other steps of its group."""
    out: list[tuple[Record, list[Step]]] = []
    for child in node.children:
        if isinstance(child, Record):
            out.append((child, [s for s in walk(node) if s is not child]))
        elif isinstance(child, Group):
            out.extend(_sections(child))
    return out


def _without_records(node: Group) -> Group:
    children = [_without_records(c) if isinstance(c, Group) else c for c in node.children if not isinstance(c, Record)]
    return Group(node.title, tuple(children), node.parallel)
