"""Numbers for people."""

from __future__ import annotations

import pytest

from sdsk8s.model import text


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (4_100, "4.1 kB"), (155_000_000, "155.0 MB"), (3e12, "3000.0 GB")],
)
def test_bytes(number: float, words: str) -> None:
    assert text.size(number) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 pods"), (1, "1 pod"), (2, "2 pods")])
def test_plural(number: int, words: str) -> None:
    assert text.count(number, "pod") == words


def test_an_odd_plural() -> None:
    assert (text.count(1, "entry", "entries"), text.count(3, "entry", "entries")) == ("1 entry", "3 entries")


def test_the_end_of_a_long_text() -> None:
    assert text.tail(" short\n") == "short"
    assert text.tail("a" * 10 + "the cause", 9) == "...the cause"
