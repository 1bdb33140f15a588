"""What an operator points `assess` and `migrate import` at, beside the old site's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Verdicts = Mapping[str, Mapping[str, tuple[str, str]]]
"""{"primitives" | "tasks": {name: (mapped | changed | refused, what it is now)}} for names in `cluster.py`."""


@dataclass(frozen=True)
class Given:
    """Files beside the site's folder, as (component, file)."""

    supervisord: tuple[tuple[str, Path], ...] = ()
    crontabs: tuple[tuple[str, Path], ...] = ()
    units: tuple[tuple[str, Path], ...] = ()
    settings: tuple[tuple[str, Path], ...] = ()
    verdicts: Verdicts = field(default_factory=dict)
