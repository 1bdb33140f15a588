"""A plan as lines for people."""

from __future__ import annotations

from collections.abc import Iterable

from sdsk8s.model import text
from sdsk8s.planner.steps import Plan


def plan_head(plan: Plan, lines: Iterable[str]) -> list[str]:
    """Headline, the plan's lines, what it changes, and notes."""
    return [
        f"plan: {plan.verb} {plan.target} in namespace {plan.namespace}, {text.count(len(plan.steps()), 'step')}",
        *lines,
        *(f"change: {change}" for change in plan.changes),
        *(f"note: {note}" for note in plan.notes),
    ]
