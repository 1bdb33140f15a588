"""The end of a run: what is done, what failed and why, what was not tried."""

from __future__ import annotations

from typing import Any

from sdsk8s.planner.steps import Group, Node, Plan, Step, walk
from sdsk8s.runner.run import Outcome, Report


def report_as_dict(plan: Plan, report: Report) -> dict[str, Any]:
    """Schema: docs/reference/plans-and-reports.md."""
    return {
        "verb": plan.verb,
        "target": plan.target,
        "run": report.run_id,
        "state": report.state(),
        "seconds": report.seconds,
        "notes": list(plan.notes),
        "steps": [
            {
                "step": o.number,
                "title": o.step.title(),
                "state": o.state,
                "seconds": o.seconds,
                "fact": o.fact,
                "error": o.error.as_dict() if o.error else None,
            }
            for o in report.outcomes
        ],
    }


def report_lines(plan: Plan, report: Report) -> list[str]:
    """The table, notes, and the last line with the run's id."""
    rows = _rows(plan, report)
    width = max((len(r[0]) for r in rows), default=0)
    lines = []
    for name, done, failed, untried, seconds in rows:
        state = "done" if done and not failed and not untried else "failed" if failed else "not tried"
        counts = (
            f"{done} done" + (f", {failed} failed" if failed else "") + (f", {untried} not tried" if untried else "")
        )
        lines.append(f"{name:<{width}}  {state:<9}  {counts}  {seconds:.1f} s")
    lines += [f"note: {note}" for note in plan.notes]
    lines.append(f"{plan.verb} {plan.target}: {report.state()} in {report.seconds:.1f} s (run {report.run_id})")
    return lines


def error_lines(report: Report) -> list[str]:
    """Each failed step with its cause."""
    return [line for o in report.failed() if o.error is not None for line in o.error.lines()]


def _rows(plan: Plan, report: Report) -> list[tuple[str, int, int, int, float]]:
    outcomes = {id(o.step): o for o in report.outcomes}
    rows = []
    for name, steps in _sections(plan):
        mine: list[Outcome] = [outcomes[id(s)] for s in steps]
        count = {state: sum(o.state == state for o in mine) for state in ("done", "failed", "not tried")}
        # Side by side steps share their time: from the first one's begin to the last one's end.
        begins = [o.began for o in mine if o.began is not None]
        ends = [o.began + o.seconds for o in mine if o.began is not None and o.seconds is not None]
        seconds = max(ends, default=0.0) - min(begins, default=0.0)
        rows.append((name, count["done"], count["failed"], count["not tried"], seconds))
    return rows


def _sections(plan: Plan) -> list[tuple[str, list[Step]]]:
    """One row per top group, or per component where the top group holds several."""
    out: list[tuple[str, list[Step]]] = []
    for child in plan.root.children:
        parts: tuple[Node, ...] = child.children if isinstance(child, Group) and child.parallel else ()
        if parts and all(isinstance(p, Group) for p in parts) and isinstance(child, Group):
            verb = plan.verb if child.title.startswith(plan.verb) else child.title.split(" ")[0]
            out.extend((f"{verb} {p.title}", list(walk(p))) for p in parts if isinstance(p, Group))
        else:
            title = child.title if isinstance(child, Group) else child.title()
            out.append((title, list(walk(child))))
    return out
