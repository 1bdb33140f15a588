"""The entry point of `sdsk8s`. Help is printed without click, whose loading takes longer than all the rest."""

from __future__ import annotations

import sys

from sdsk8s.cli.commands import help_text
from sdsk8s.console.loading import quick_loading


def main(argv: list[str] | None = None) -> None:
    """Entry point: errors of ours become lines on stderr and their exit code."""
    words = sys.argv[1:] if argv is None else argv
    if words in (["--help"], ["-h"]):
        sys.stdout.write(help_text())
        sys.exit(0)
    quick_loading()
    from sdsk8s.cli.group import run

    sys.exit(run(argv))
