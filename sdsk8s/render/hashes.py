"""Hashes over rendered objects: whether an object differs from what was applied."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sdsk8s.model.names import APPLIED, REPLICAS, WORKLOADS


def content_hash(obj: Mapping[str, Any]) -> str:
    """16 hex digits over the object; desired replicas and our own bookkeeping do not count."""
    clean = copy.deepcopy(dict(obj))
    if clean.get("kind") in WORKLOADS:
        clean.get("spec", {}).pop("replicas", None)
    for key in (APPLIED, REPLICAS):
        clean["metadata"].get("annotations", {}).pop(key, None)
    return hashlib.sha256(json.dumps(clean, sort_keys=True).encode()).hexdigest()[:16]
