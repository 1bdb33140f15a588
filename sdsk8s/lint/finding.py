"""What a rule found, and how the author of a manifest says that it is meant so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WAIVER = "lint.sdsk8s/"
"""Annotation of an object: `lint.sdsk8s/RULE: why it does not apply here`. An empty reason waives nothing."""

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """rule: its name, as a waiver has it; target: object and container, or file and line; words: what is wrong."""

    rule: str
    target: str
    words: str


def name_of(obj: Object) -> str:
    """`Deployment/x`"""
    return f"{obj.get('kind')}/{(obj.get('metadata') or {}).get('name')}"


def waived(obj: Object, rule: str) -> str:
    """The written reason why a rule does not apply to this object, or ""."""
    notes = (obj.get("metadata") or {}).get("annotations") or {}
    return str(notes.get(WAIVER + rule) or "").strip()
