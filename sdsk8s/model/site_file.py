"""State of a file in the site's `files` directory, compared with the shipped version that it came from. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MISSING, SAME, OLD, EDITED, BOTH, UNKNOWN, SEVERAL = (
    "missing",
    "same",
    "old",
    "edited",
    "both",
    "unknown",
    "several",
)
WORDS = {
    MISSING: "the site does not have it",
    SAME: "as shipped",
    OLD: "untouched here; the shipped one is newer",
    EDITED: "changed here; the shipped one is still the one it came from",
    BOTH: "changed here, and the shipped one is newer",
    UNKNOWN: "differs; which shipped version it came from is not recorded",
    SEVERAL: "differs; components have shipped versions of their own under this name, and this file replaces all",
}


def judge(ours: bytes | None, shipped: bytes, base: bytes | None) -> str:
    """One of the states above. ours: the site's file, None when absent; base: what was shipped when ours was made."""
    if ours is None:
        return MISSING
    if ours == shipped:
        return SAME
    if base is None:
        return UNKNOWN
    if ours == base:
        return OLD
    return EDITED if shipped == base else BOTH


@dataclass(frozen=True)
class Change:
    """What an upgrade does with one file.

    state   one of the states above
    action  copy, replace, merge: `text` is written, the old file is kept as a backup; conflict: `text`, with marks,
            is written beside as NAME.new; record: only the base is noted; keep: nothing to do; refuse: a person must
            decide, `words` says what
    """

    name: str
    state: str
    action: str
    words: str = ""
    text: bytes | None = None

    @property
    def writes(self) -> bool:
        """It changes what verbs read."""
        return self.action in ("copy", "replace", "merge")

    @property
    def open(self) -> bool:
        """Something is left to do by hand."""
        return self.action in ("conflict", "refuse")
