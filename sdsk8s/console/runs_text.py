"""`runs show` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def run_lines(head: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A run and its steps. head, steps: as in the JSON form."""
    yield f"run {head['run']}: {head['verb']} {head['target']} in namespace {head['namespace']}, {head['state']}"
    end = "and goes on" if head["state"] == "running" else "until it was killed"
    yield f"  {head['who']}, from {head['started']} " + (f"to {head['ended']}" if head["ended"] else end)
    for s in steps:
        seconds = f"  {s['seconds']:.1f} s" if s["seconds"] is not None else ""
        yield f"  {s['step']:>3}. {s['state']:<8} {s['title']}{seconds}" + (f"  {s['fact']}" if s["fact"] else "")
        if s["error"]:
            yield f"       {s['error']}"
