"""Names shared by every room: labels, annotations, kinds."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
COMPONENT = "sdsk8s/component"
SUPERVISED = "sdsk8s/supervised"
REPLICAS = "sdsk8s/replicas"
"""Replicas recorded on a workload before it was scaled to 0."""
APPLIED = "sdsk8s/applied"
"""Hash of the rendered object, replicas and image digests left out of no part: equal means nothing to apply."""
CONFIG_HASH = "sdsk8s/config-hash"
DRIFT = "sdsk8s/drift"
"""On a pod: what was copied over its image, as JSON; see sdsk8s/model/drift.py."""

WORKLOADS = ("Deployment", "StatefulSet")


FIELD_MANAGER = "sdsk8s"
"""Our name in metadata.managedFields."""
LONG = 40
"""Names that an error does not list any more."""


SECRET_WORDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL")
"""Words in the name of a key whose value is secret."""


def secret_word(name: str) -> str:
    """The word that makes a key's name look secret, or ""."""
    upper = name.upper().replace("-", "_").replace(".", "_")
    return next((word for word in SECRET_WORDS if word in upper), "")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name nearest to a misspelt one, or an empty string."""
    hits = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return hits[0] if hits else ""


def unknown(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"? known: a, b` for an error's last line; of a long list the nearest are enough."""
    names = sorted(known)
    near = nearest(word, names)
    hint = f'did you mean "{near}"? ' if near else ""
    if len(names) > LONG:
        names = [*difflib.get_close_matches(word, names, n=5, cutoff=0.3), "..."]
    return f"{hint}known: {', '.join(names)}"
