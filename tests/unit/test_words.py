"""Messages, help and docstrings in plain English: subject, verb, object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PENDING: tuple[str, ...] = ()
"""Rooms whose words are not yet plain."""

FILES = sorted(
    p
    for room in ("sdsk8s", "legacy_shim")
    for p in (ROOT / room).rglob("*.py")
    if not str(p.relative_to(ROOT)).startswith(PENDING)
)

MANNERED = re.compile(
    r"(?<!\bthere )\bis no [a-z]|\b(is|are) wanted\b|\bmade anew\b|\bgoes round\b|\bwhat is there\b|\bside by side\b"
    r"|\bmends? (it|these|this)\b|\bspeaks no\b|\bwhat has become of\b",
    re.I,
)
"""Inversions and riddles that operators stumbled over. "there is no such file" is plain English."""

ALLOWED = re.compile(r"\bis no longer\b")
"""Plain English that the pattern would take."""


def literals(node: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, text) of every string; `{}` stands for what an f-string fills in."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.lineno, node.value
        return
    if isinstance(node, ast.JoinedStr):
        yield node.lineno, "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from literals(child)


def mannered(source: str) -> list[str]:
    found = ((line, ALLOWED.sub("", " ".join(text.split()))) for line, text in literals(ast.parse(source)))
    return [f"line {line}: {text}" for line, text in found if MANNERED.search(text)]


@pytest.mark.parametrize("file", FILES, ids=[str(p.relative_to(ROOT)) for p in FILES])
def test_strings_are_plain(file: Path) -> None:
    assert not mannered(file.read_text())


@pytest.mark.parametrize(
    "source",
    ['f"{name!r} is no name"', '"""Logs, side\nby side."""', 'f"{key}: {kind} is wanted"', "f'{a}{f\"{x} is no y\"}'"],
)
def test_a_mannered_string_would_be_found(source: str) -> None:
    assert mannered(source)


@pytest.mark.parametrize("source", ['f"there is no {name}"', '"it is no longer used"', "x = 1  # side by side"])
def test_plain_words_pass(source: str) -> None:
    assert not mannered(source)
