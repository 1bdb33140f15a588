"""Running programs of the system, with errors that carry their own words."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sdsk8s.errors import SdsError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class CommandError(SdsError):
    """A program of the system failed."""


def find(program: str) -> str | None:
    """Full path of a system program; sbin is looked at even when PATH leaves it out."""
    return shutil.which(program, path=SYSTEM_PATH)


def run(
    *command: str | Path,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run to the end, output captured. With `check`, a non-zero exit raises CommandError with its stderr."""
    words = [str(word) for word in command]
    merged = {**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C", **(env or {})}
    try:
        done = subprocess.run(
            words,
            env=merged,
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as err:
        raise CommandError(f"{words[0]} is not installed", words=str(err), next="sdsk8s lab up") from err
    except subprocess.TimeoutExpired as err:
        raise CommandError(f"{words[0]} did not end in {timeout:.0f} s", words=" ".join(words)) from err
    if check and done.returncode != 0:
        raise CommandError(
            f"{words[0]} failed with exit code {done.returncode}",
            target=" ".join(words),
            words=tail(done.stderr or done.stdout),
        )
    return done


def tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole, with its mode from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
    temporary.replace(path)
