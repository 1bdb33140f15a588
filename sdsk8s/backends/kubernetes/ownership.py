"""Who owns which field of an object, read from metadata.managedFields. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sdsk8s.model.names import FIELD_MANAGER

CLIENT_SIDE = "kubectl-client-side-apply"
"""The manager that plain `kubectl apply` leaves behind."""


def foreign_fields(obj: Mapping[str, Any], ours: str = FIELD_MANAGER) -> dict[str, list[str]]:
    """{manager: [field paths]} of those who set fields by hand or by another tool; status does not count."""
    out: dict[str, list[str]] = {}
    for entry in obj.get("metadata", {}).get("managedFields") or ():
        fields = sorted(_leaves(entry.get("fieldsV1") or {}))
        if entry.get("manager") != ours and not entry.get("subresource") and fields:
            out.setdefault(str(entry.get("manager", "")), []).extend(fields)
    return out


def adopted(obj: Mapping[str, Any], ours: str = FIELD_MANAGER) -> list[dict[str, Any]] | None:
    """managedFields with all that `kubectl apply` owns given to our applied set; None when there is none.

    Without that, a field which `kubectl apply` has set and a later manifest drops would stay for ever: it is its
    old owner's still.
    """
    entries = [dict(e) for e in obj.get("metadata", {}).get("managedFields") or ()]
    old = [e for e in entries if e.get("manager") == CLIENT_SIDE and e.get("operation") == "Update"]
    mine = next((e for e in entries if e.get("manager") == ours and e.get("operation") == "Apply"), None)
    if not old or mine is None:
        return None
    for entry in old:
        mine["fieldsV1"] = _union(mine.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
    return [e for e in entries if e not in old]


def _union(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _union(a.get(k) or {}, b.get(k) or {}) for k in [*a, *(k for k in b if k not in a)]}


def _leaves(fields: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Paths such as .spec.template.spec.containers[name=main].image of a fieldsV1 set."""
    for key, below in fields.items():
        if key == ".":
            continue
        tag, _, rest = key.partition(":")
        where = at + (f".{rest}" if tag == "f" else f"[{_selector(rest)}]")
        inner = {k: v for k, v in (below or {}).items() if k != "."}
        if inner:
            yield from _leaves(inner, where)
        else:
            yield where


def _selector(text: str) -> str:
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    return ",".join(f"{k}={v}" for k, v in parsed.items()) if isinstance(parsed, dict) else str(parsed)
