"""Who owns which field of an object, read from metadata.managedFields. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdsk8s.model.names import FIELD_MANAGER

CLIENT_SIDE = "kubectl-client-side-apply"
"""The manager that plain `kubectl apply` leaves behind."""


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
