"""`sds configure`: the legacy dialogue, merged into what is there."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.console.console import Console
from sdsk8s.verbs import configure as verb
from sdsk8s.verbs.options import Options


def configure(options: Options, *, source: str | None, assignments: tuple[str, ...], stdin: bool) -> int:
    file = Path(source) if source else None
    return verb.run(Console(), verb.Request(options.home, file, tuple(assignments or ()), stdin, options.yes))
