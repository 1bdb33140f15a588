"""A Plan for people and for scripts. Values of Secrets never leave this function unmasked."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from sdsk8s.planner.steps import Apply, CloudCall, Group, Node, Plan, Record, Step


def plan_as_dict(plan: Plan) -> dict[str, Any]:
    """The plan as plain data; schema: docs/reference/plans-and-reports.md."""
    counter = iter(range(1, 1_000_000))
    return {
        "verb": plan.verb,
        "target": plan.target,
        "namespace": plan.namespace,
        "notes": list(plan.notes),
        "changes": list(plan.changes),
        "plan": _node(plan.root, plan.namespace, counter),
    }


def _node(node: Node, namespace: str, counter: Any) -> dict[str, Any]:
    if isinstance(node, Group):
        return {
            "group": node.title,
            "parallel": node.parallel,
            "children": [_node(c, namespace, counter) for c in node.children],
        }
    data: dict[str, Any] = {
        "step": next(counter),
        "type": type(node).__name__.lower(),
        "title": node.title(),
        "reason": node.reason,
        "by_hand": node.by_hand(namespace),
        "undo": node.undo(),
    }
    for field in dataclasses.fields(node):
        if field.name != "reason":
            data[field.name] = getattr(node, field.name)
    if isinstance(node, Apply):
        data["obj"] = masked(node.obj)
    if isinstance(node, CloudCall):
        data["content"] = len(node.content)
    if isinstance(node, Record):  # what is recorded is what was applied: the Apply steps show it
        data["objects"] = [f"{o['kind']}/{o['metadata']['name']}" for o in node.objects]
        del data["trees"]
    return data


def masked(obj: Any) -> dict[str, Any]:
    """The object with the values of a Secret replaced by `***`."""
    clone: dict[str, Any] = copy.deepcopy(dict(obj))
    if clone.get("kind") == "Secret":
        for part in ("data", "stringData"):
            if part in clone:
                clone[part] = dict.fromkeys(clone[part], "***")
    return clone


def plan_lines(plan: Plan, *, by_hand: bool) -> list[str]:
    """Numbered, indented lines; with by_hand, the nearest command below each step."""
    lines: list[str] = []
    counter = iter(range(1, 1_000_000))

    def add(node: Node, depth: int) -> None:
        pad = "  " * depth
        if isinstance(node, Group):
            lines.append(f"{pad}{node.title}{'  (in parallel)' if node.parallel and len(node.children) > 1 else ''}")
            for child in node.children:
                add(child, depth + 1)
        else:
            lines.extend(_step_lines(node, pad, next(counter), plan.namespace, by_hand))

    for child in plan.root.children:
        add(child, 0)
    return lines


def _step_lines(step: Step, pad: str, number: int, namespace: str, by_hand: bool) -> list[str]:
    reason = f"  [{step.reason}]" if step.reason and step.reason != step.title() else ""
    out = [f"{pad}{number:>3}. {step.title()}{reason}"]
    if by_hand:
        out.append(f"{pad}     $ {step.by_hand(namespace)}")
    return out
