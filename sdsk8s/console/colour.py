"""Colours, only where somebody sees them: a terminal without NO_COLOR, or SDS_COLOR=always."""

from __future__ import annotations

import os
import sys
from typing import TextIO

CODES = {"cyan": 36, "green": 32, "red": 31, "yellow": 33, "magenta": 35, "blue": 34, "bold": 1}
"""Never blinking, unlike the legacy tool's red."""


def wanted(stream: TextIO | None = None) -> bool:
    """True when the stream shall get colours."""
    choice = os.environ.get("SDS_COLOR", "")
    if choice in ("always", "never"):
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return (stream or sys.stdout).isatty()


def paint(text: str, name: str, on: bool = True) -> str:
    return f"\x1b[{CODES[name]}m{text}\x1b[0m" if on and name else text
