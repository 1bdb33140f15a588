"""What a rule found, and how the author of a manifest says that it is meant so."""

from __future__ import annotations

from sdsk8s.model import kube
from sdsk8s.model.finding import BROKEN, Finding
from sdsk8s.model.kube import Object

WAIVER = "lint.sdsk8s/"
"""Annotation of an object: `lint.sdsk8s/RULE: why it does not apply here`. An empty reason waives nothing."""


def fault(rule: str, target: str, words: str) -> Finding:
    """rule: its name, as a waiver has it; target: object and container, or file and line; words: what is wrong."""
    return Finding(BROKEN, target, words, key=rule)


def waived(obj: Object, rule: str) -> str:
    """The written reason why a rule does not apply to this object, or ""."""
    return kube.annotation(obj, WAIVER + rule).strip()
