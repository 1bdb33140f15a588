"""Numbers for people. Pure."""

from __future__ import annotations


def size(count: float) -> str:
    """A number of bytes: 312 B, 4.1 kB, 1.2 GB."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 pod`, `2 pods`. plural: where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def tail(text: str, limit: int = 300) -> str:
    """The end of a long text, which is where programs say why they stopped."""
    clean = text.strip()
    return clean if len(clean) <= limit else f"...{clean[-limit:]}"
