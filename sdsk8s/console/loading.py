"""Start-up and end: what makes loading modules, and leaving, quick. Imports nothing of its own, for both front ends."""

from __future__ import annotations

import atexit
import gc

OBJECTS = 50_000
"""New objects between two looks for garbage: at Python's 700, loading modules is interrupted by dozens in vain."""


def quick_loading() -> None:
    """Call this before a verb's modules are imported."""
    gc.set_threshold(OBJECTS)
    # At its end Python looks for garbage in all that was loaded: a tenth of a short command, for nothing.
    atexit.register(gc.freeze)
