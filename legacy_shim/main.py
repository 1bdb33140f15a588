"""The `sds` command. Without a verb it needs no more than argparse, so that `sds -h` is fast."""

from __future__ import annotations

import gc
import os
import sys

from legacy_shim.reader import top
from legacy_shim.verbs import ABOUT, VERBS

EXIT_CODES = (0, 1, 2)
"""What scripts around the legacy tool know; partly done, refused and interrupted are failures to them."""


def run(argv: list[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if all(w.startswith("-") for w in words) and "_SDS_COMPLETE" not in os.environ:
        return _without_verb(words)
    from sdsk8s.cli.main import LOADING

    gc.set_threshold(LOADING)
    from legacy_shim.tree import root
    from sdsk8s.cli.group import guarded

    code = guarded(lambda: root().main(args=words, prog_name="sds", standalone_mode=False))
    return code if code in EXIT_CODES else 1


def _without_verb(words: list[str]) -> int:
    """Help, or what the legacy tool did without a verb: help on stderr and 1."""
    try:
        parser = top(VERBS.items(), ABOUT)
        parser.parse_args(words)
    except SystemExit as end:  # argparse has printed help or a fault
        return int(end.code or 0)
    parser.print_help(sys.stderr)
    return 1


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
