"""The `sds` command. Help and faults of the command line need no more than argparse, so that they are quick."""

from __future__ import annotations

import os
import sys

from legacy_shim.reader import read
from sdsk8s.console.loading import quick_loading
from sdsk8s.errors import SdsError

COMPLETE = "_SDS_COMPLETE"
"""The variable by which a shell asks for words."""


def run(argv: list[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    quick_loading()
    if COMPLETE in os.environ:
        from legacy_shim.complete import answer

        return answer(os.environ[COMPLETE])
    try:
        line = read(words)
    except SystemExit as end:  # argparse has printed help, or a fault
        return int(end.code or 0)
    except SdsError as err:  # of a component of the site, whose names are choices
        print(*err.lines(), sep="\n", file=sys.stderr)
        return 1
    from legacy_shim.dispatch import run as do

    return do(line)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
