"""What verbs do with recorded revisions: record the next one, and find the way back from a failed run."""

from __future__ import annotations

from sdsk8s.errors import ClusterError
from sdsk8s.model.history import Trees
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired, workloads
from sdsk8s.planner.record import with_records
from sdsk8s.planner.steps import Apply, Group, Node, Plan, Record, Step, WaitReady, walk
from sdsk8s.planner.undo import plan_undo
from sdsk8s.render.changes import config_changes, tree_changes
from sdsk8s.runner.run import Report
from sdsk8s.verbs.conduct import WayBack
from sdsk8s.verbs.desired import in_levels
from sdsk8s.verbs.session import Session


def recorded(session: Session, plan: Plan, wanted: list[Desired], live: Observed, *, from_tree: bool) -> Plan:
    """A plan of start or update with its Record steps, and what it changes against the newest revisions."""
    heads = session.history.newest()
    trees: dict[str, Trees] = {}
    for w in wanted:
        if from_tree or not workloads(w.component, live):
            trees[w.component.name] = session.images.trees(w.builds)
    plan = with_records(plan, wanted, live, heads, trees)
    lines = []
    changed = {s.component for s in plan.steps() if isinstance(s, Record)}
    for w in wanted:
        name = w.component.name
        if plan.verb != "update" or name not in changed or name not in heads:
            continue
        try:
            objects, old = session.history.load(heads[name])
        except ClusterError as err:
            lines.append(f"{name}: the last revision cannot be read: {err.what}")
            continue
        found = [*tree_changes(old, trees.get(name, old)), *config_changes(objects, w.objects)]
        lines += [
            f"{name}: {line}" for line in found or ["no change in files or configuration since the last revision"]
        ]
    return Plan(plan.verb, plan.target, plan.namespace, plan.root, plan.notes, tuple(lines))


def way_back(session: Session, plan: Plan, report: Report) -> WayBack:
    """After a failed run: the plan that takes what it broke back to its last revision, and what it cannot.

    A component whose own steps all went well stays new and is recorded; others are put back as a whole.
    """
    states = {id(o.step): o.state for o in report.outcomes}
    heads = session.history.newest()
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
            words.append(f"{record.component} has no earlier revision to go back to; it keeps the failed state")
        else:
            objects, _ = session.history.load(heads[record.component])
            back.append(Desired(by_name[record.component], tuple(objects), {}))
    if not back and not keep:
        return WayBack(None, words)
    found = plan_undo("roll back", plan.target, in_levels(session, back), session.observe(), session.site.namespace)
    # The revision that is restored is in the history already.
    root = _without_records(found.root)
    root = Group(root.title, (*keep, *root.children))
    return WayBack(Plan("roll back", plan.target, found.namespace, root) if root.children else None, words)


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
