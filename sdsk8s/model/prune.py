"""Which stored images are no longer needed: a pure function from the known facts to a verdict for each image.

A wrong guess would take away the way back, so an image stays unless everything speaks against it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

CONTENT_TAG = re.compile(r"[0-9a-f]{12}")
"""Tags that sdsk8s makes. Any other tag was given by a person, for a reason."""


@dataclass(frozen=True)
class Stored:
    """One manifest of a repository.

    repository  HOST/SITE/IMAGE
    digest      sha256:...
    tags        all that point at it
    created     None when the image does not say it
    blobs       {digest: bytes} of its layers, compressed
    below       reference of what it was built from, as its label says; "" when it has none
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    created: datetime | None
    blobs: Mapping[str, int] = field(default_factory=dict)
    below: str = ""

    @property
    def ref(self) -> str:
        return f"{self.repository}@{self.digest}"

    @property
    def names(self) -> list[str]:
        """The repository as a whole, and every reference to the image."""
        return [self.repository, self.ref, *(f"{self.repository}:{tag}" for tag in self.tags)]


@dataclass(frozen=True)
class Verdict:
    """kept: why it stays; "" when it may go."""

    image: Stored
    kept: str


def mentions(objects: Iterable[Mapping[str, Any]], repositories: Iterable[str]) -> set[str]:
    """Every `REPOSITORY:TAG` and `REPOSITORY@DIGEST` of these repositories, wherever in the objects it stands."""
    places = "|".join(re.escape(r) for r in sorted(repositories))
    if not places:
        return set()
    pattern = re.compile(rf"({places})(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{{64}}))?(?![\w/-])")
    found: set[str] = set()
    for obj in objects:
        for repository, tag, digest in pattern.findall(json.dumps(obj)):
            found |= {f"{repository}:{tag}"} if tag else set()
            found |= {f"{repository}@{digest}"} if digest else set()
    return found


def verdicts(
    stored: Iterable[Stored],
    reasons: Mapping[str, str],
    now: datetime,
    age: timedelta,
) -> list[Verdict]:
    """One verdict for each image, in the order given.

    reasons  {`REPOSITORY:TAG`, `REPOSITORY@DIGEST` or a whole `REPOSITORY`: why it is needed}
    age      younger ones stay: another cluster may be about to run them
    """
    images, known = list(stored), dict(reasons)
    while True:
        found = [Verdict(image, _why(image, known, now, age)) for image in images]
        # An `update --ndeps` goes back to what a running image lies over.
        below = {v.image.below for v in found if v.kept and v.image.below} - set(known)
        if not below:
            return found
        known |= dict.fromkeys(below, "is the base of an image that is kept")


def _why(image: Stored, reasons: Mapping[str, str], now: datetime, age: timedelta) -> str:
    needed = [reasons[name] for name in image.names if name in reasons]
    if needed:
        return needed[0]
    given = [tag for tag in image.tags if not CONTENT_TAG.fullmatch(tag)]
    if given:
        return f"is tagged {', '.join(given)}"
    if image.created is None:
        return "" if not age else "has no creation time"
    if now - image.created < age:
        return f"is younger than {age.days} days"
    return ""


def freed(found: Iterable[Verdict]) -> int:
    """Bytes of the layers that only removed images have."""
    gone: dict[str, int] = {}
    kept: set[str] = set()
    for v in found:
        if v.kept:
            kept |= set(v.image.blobs)
        else:
            gone |= v.image.blobs
    return sum(size for digest, size in gone.items() if digest not in kept)
