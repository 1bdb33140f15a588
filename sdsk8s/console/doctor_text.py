"""Findings of `doctor`: lines for people, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sdsk8s.console.colour import paint, wanted
from sdsk8s.model.finding import BROKEN, OK, WARNING, Finding, counted

COLOURS = {OK: "green", WARNING: "yellow", BROKEN: "red"}


def findings_as_dict(found: Sequence[Finding]) -> dict[str, Any]:
    """The JSON form."""
    checks = [{"name": f.subject, "found": f.words, "words": f.says, "cure": f.cure, "state": f.level} for f in found]
    return {"version": 1, "ok": not any(f.level == BROKEN for f in found), "checks": checks}


def finding_lines(found: Sequence[Finding]) -> Iterator[str]:
    """One line per finding, words and cure below what is not well, the counts at the end."""
    colour = wanted()
    width = max(len(f.subject) for f in found)
    for f in found:
        yield f"{paint(f'{f.level:<8}', COLOURS[f.level], colour)} {f.subject:<{width}}  {f.words}"
        for label, text in (("says", f.says), ("cure", f.cure)):
            for i, line in enumerate(text.splitlines() if f.level != OK else ()):
                yield f"{'':10}{label + ': ' if i == 0 else '':<6}{line}"
    yield counted(found, COLOURS)
