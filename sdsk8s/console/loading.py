"""Start-up: what makes the loading of modules quick. Imports nothing of its own, for both front ends."""

from __future__ import annotations

import gc

OBJECTS = 50_000
"""New objects between two looks for garbage: at Python's 700, loading modules is interrupted by dozens in vain."""


def quick_loading() -> None:
    """Call this before a verb's modules are imported."""
    gc.set_threshold(OBJECTS)
