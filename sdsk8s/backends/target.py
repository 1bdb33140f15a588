"""One place where commands run: a container of a pod, or a host over SSH. Those who use one need not know which."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sdsk8s.errors import RefusedError

LARGEST = 64 * 1024 * 1024
"""Bytes of one file through read and write; more is the work of `sdsk8s cp`."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended. code: its exit code; text that is not UTF-8 has replacement characters."""

    code: int
    stdout: str
    stderr: str

    @property
    def words(self) -> str:
        """What it said, errors first: for the last line of an error of ours."""
        return (self.stderr or self.stdout).strip()


class CommandTarget(Protocol):
    """name: of the pod or host; pod: True for a pod. SdsError when a command could not be run at all."""

    name: str
    pod: bool

    def run(self, argv: Sequence[str], timeout: float | None = None) -> Ended:
        """Run a program to its end. timeout in seconds; None waits as long as the connection lasts."""

    def shell(self, line: str, timeout: float | None = None) -> Ended:
        """Run a command line in the target's shell."""

    def write(self, data: bytes, path: str, mode: int) -> None:
        """Make a file, whole or not at all. RefusedError for more than LARGEST bytes."""

    def read(self, path: str) -> bytes:
        """The content of a file. An error for more than LARGEST bytes."""


def expanded(target: CommandTarget, path: str) -> str:
    """The path with a leading ~ written out by the target's own shell."""
    return target.shell(f"printf %s {quoted(path)}").stdout if path.startswith("~") else path


def quoted(path: str) -> str:
    """A path for a shell: quoted, but a leading ~ still means home."""
    head, slash, tail = path.partition("/")
    if head.startswith("~"):
        return head + slash + (shlex.quote(tail) if tail else "")
    return shlex.quote(path)


def local_file(path: Path) -> bytes:
    """Content of a local file that is to be sent."""
    check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def check_size(size: int, path: str) -> None:
    """RefusedError for more than LARGEST bytes."""
    if size > LARGEST:
        raise RefusedError(
            f"{path} is larger than {LARGEST >> 20} MiB",
            next="use sdsk8s cp, which streams and verifies files of any size",
        )
