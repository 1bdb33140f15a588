"""`sds configure`: the legacy dialogue; answers are merged into the existing files."""

from __future__ import annotations

from pathlib import Path

from legacy_shim.console import LegacyConsole
from sdsk8s.verbs import configure as verb
from sdsk8s.verbs.options import Options


def configure(options: Options, *, source: str | None, assignments: tuple[str, ...], stdin: bool) -> int:
    file = Path(source) if source else None
    return verb.run(LegacyConsole(), verb.Request(options.home, file, tuple(assignments or ()), stdin, options.yes))
