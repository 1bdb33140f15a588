"""All rules over sets of objects and Dockerfiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.lint import schema
from sdsk8s.lint.dockerfile import dockerfile_findings
from sdsk8s.lint.finding import fault
from sdsk8s.lint.together import findings
from sdsk8s.model import kube
from sdsk8s.model.finding import Finding

Objects = list[dict[str, Any]]
_WRONG_TYPES = (AttributeError, KeyError, TypeError, ValueError)
"""What a rule runs into when a field is not of the type that its kind has."""


@dataclass(frozen=True)
class Looked:
    """counts: {what: how many were looked at}; findings: what is wrong with them."""

    counts: Mapping[str, int]
    findings: list[Finding]


def look(sets: Sequence[Objects], declared: Objects, dockerfiles: Sequence[Path]) -> Looked:
    """Check each set of objects and each Dockerfile. declared: ConfigMaps and Secrets that will be there as well."""
    found: list[Finding] = []
    more = [*declared, *(o for objects in sets for o in objects)]
    for objects in sets:
        found += _findings(objects, more)
        if schema.available():
            found += schema.schema_findings(objects)
    for path in dockerfiles:
        found += dockerfile_findings(path)
    return Looked({"objects": sum(len(objects) for objects in sets), "Dockerfiles": len(dockerfiles)}, found)


def _findings(objects: Objects, more: Objects) -> list[Finding]:
    try:
        return findings(objects, more)
    except _WRONG_TYPES:
        # Rules read fields as their kinds have them; what is made of other types is left to the schemas.
        wrong = [o for o in more if _odd(o)]
        rest = [o for o in objects if o not in wrong]
        words = "some fields have the wrong type for its kind; the other rules skipped this object"
        found = [fault("schema", kube.title(o), words) for o in objects if o in wrong]
        return found + findings(rest, [o for o in more if o not in wrong])


def _odd(obj: dict[str, Any]) -> bool:
    try:
        findings([obj], [obj])
    except _WRONG_TYPES:
        return True
    return False
