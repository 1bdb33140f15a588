"""Rows as aligned columns."""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell; an empty cell is a dash."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(f"{cell or '-':<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
