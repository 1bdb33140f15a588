"""`lab kubeconfig|logs`: files that a lab has written."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sdsk8s.console.console import Console
from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.lab import plan, record
from sdsk8s.lab.plan import Lab


def kubeconfig(console: Console, name: str, *, raw: bool) -> int:
    """Print the path of the lab's kubeconfig, or what is in it (raw)."""
    made = known(name)
    if raw:
        console.write(_read(made.kubeconfig))
    else:
        console.print(str(made.kubeconfig))
    return 0


def logs(console: Console, name: str, part: str, *, lines: int, follow: bool) -> int:
    """Print the last lines of a part's log. UsageError when the lab has no such part."""
    made = known(name)
    if not os.access(made.logs, os.R_OK):
        raise RefusedError("only root may read the logs", target=str(made.logs), next="sudo sdsk8s lab logs " + part)
    parts = sorted(file.stem for file in made.logs.glob("*.log"))
    if part not in parts:
        raise UsageError(
            f'lab {name} has no program "{part}"', words="parts: " + " ".join(parts), next="sdsk8s lab status"
        )
    show(console, made.logs / f"{part}.log", lines, follow=follow)
    return 0


def show(console: Console, file: Path, lines: int, *, follow: bool) -> None:
    """The last lines of a file; with `follow` what is written from then on, across rotations."""
    with file.open(errors="replace") as handle:
        last = handle.readlines()[-lines:] if lines else handle.readlines()[:0]
        console.write("".join(last))
        inode = file.stat().st_ino
        while follow:
            console.write(handle.read())
            time.sleep(0.2)
            if file.exists() and file.stat().st_ino != inode:
                console.write(handle.read())
                return show(console, file, 10_000, follow=follow)


def known(name: str) -> Lab:
    """RefusedError when there is no lab of that name."""
    return record.load(plan.STATE_ROOT / plan.check_name(name))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as err:
        raise RefusedError(
            "the kubeconfig cannot be read", target=str(file), words=str(err), next="sdsk8s lab up"
        ) from err
