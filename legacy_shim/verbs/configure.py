"""`sds configure`: the legacy dialogue, merged into what is there."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.verbs.options import Options


def configure(options: Options, *, source: str | None, assignments: tuple[str, ...], stdin: bool) -> int:
    from sdsk8s.cli.configure import run_configure

    return run_configure(options.home, Path(source) if source else None, tuple(assignments or ()), stdin, options.yes)
