"""Findings of `doctor`: lines for people, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sdsk8s.console.colour import paint, wanted

STATES: dict[bool | None, str] = {True: "ok", None: "warning", False: "broken"}
COLOURS: dict[bool | None, str] = {True: "green", None: "yellow", False: "red"}


@dataclass(frozen=True)
class Finding:
    """One line. ok None is a warning: worth knowing, nothing is broken."""

    name: str
    ok: bool | None
    found: str
    words: str = ""
    cure: str = ""


def findings_as_dict(found: Sequence[Finding]) -> dict[str, Any]:
    """The JSON form."""
    checks = [{**asdict(f), "state": STATES[f.ok]} for f in found]
    for check in checks:
        check.pop("ok")
    return {"version": 1, "ok": not any(f.ok is False for f in found), "checks": checks}


def finding_lines(found: Sequence[Finding]) -> Iterator[str]:
    """One line per finding, words and cure below what is not well, the counts at the end."""
    colour = wanted()
    width = max(len(f.name) for f in found)
    for f in found:
        yield f"{paint(f'{STATES[f.ok]:<8}', COLOURS[f.ok], colour)} {f.name:<{width}}  {f.found}"
        for label, text in (("says", f.words), ("cure", f.cure)):
            for i, line in enumerate(text.splitlines() if f.ok is not True else ()):
                yield f"{'':10}{label + ': ' if i == 0 else '':<6}{line}"
    counts = {state: sum(f.ok is ok for f in found) for ok, state in STATES.items()}
    yield ", ".join(f"{n} {state}" for state, n in counts.items() if n)
