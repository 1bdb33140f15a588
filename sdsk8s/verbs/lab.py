"""`lab up|down|status`: a real Kubernetes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

from sdsk8s.console.console import Console
from sdsk8s.console.lab_text import status_lines, up_lines
from sdsk8s.lab import lifecycle, tools

EXIT_CODES = {"up": 0, "partly": 3}


def up(console: Console, name: str, nodes: int | None) -> int:
    """Bring the lab up, whatever state it is in. nodes: None is as many as before."""
    made = lifecycle.up(name, nodes, _progress(console))
    for line in up_lines(made, tools.folder()):
        console.print(line)
    return 0


def down(console: Console, name: str, *, purge: bool) -> int:
    """Stop the lab. purge: drop its state as well."""
    known = lifecycle.down(name, purge, _progress(console))
    kept = "its state is deleted" if purge else "its state is kept"
    console.print(f"lab {name} is down, {kept}" if known else f"lab {name} does not exist")
    return 0


def status(console: Console, name: str, *, json: bool) -> int:
    """Parts of the lab; 0 when all run, 3 when some do, 1 when it is down."""
    found = lifecycle.status(name)
    if json:
        console.print_json(found)
    else:
        for line in status_lines(found):
            console.print(line)
    return EXIT_CODES.get(found["state"], 1)


def _progress(console: Console) -> Callable[[str], None]:
    """Prints lines on stderr, each with the seconds since the command began."""
    begun = time.monotonic()

    def say(text: str) -> None:
        console.note(f"[{time.monotonic() - begun:6.1f} s] {text}")

    return say
