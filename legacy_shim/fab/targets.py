"""What a command and a file do on a pod and on a machine."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sdsk8s.errors import ClusterError, RefusedError, SdsError

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster
    from sdsk8s.backends.ssh import Remote

DAY = 24 * 3600.0
"""A command without a time limit of its own. The API server and sshd keep the connection."""
LARGEST = 64 * 1024 * 1024
"""Bytes of one file through put and get; more is the work of `sdsk8s cp`."""
TRIES = 3
_SHELL = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'
_WRITE = (
    'part="$1.sds-part"; umask 077; cat > "$part" && chmod "$2" "$part" && mv -f "$part" "$1" && exit 0; '
    'rm -f "$part"; exit 1'
)


@dataclass(frozen=True)
class Ended:
    """A command that has ended. code: its exit code."""

    code: int
    stdout: str
    stderr: str


class Target(Protocol):
    """One place where commands run. `pod` says whether it is a pod or a machine."""

    name: str
    pod: bool

    def run(self, command: str, timeout: float | None = None, shell: bool = True) -> Ended:
        """Run a command line to its end. SdsError when it could not be run at all."""

    def write(self, data: bytes, path: str, mode: int) -> None:
        """Make a file, whole or not at all."""

    def read(self, path: str) -> bytes:
        """The content of a file."""


class PodTarget:
    """A container of a pod. There is no login shell: profiles are not read, the image's own environment counts."""

    pod = True

    def __init__(self, cluster: Cluster, name: str, container: str) -> None:
        self.name = name
        self._cluster = cluster
        self._container = container

    def run(self, command: str, timeout: float | None = None, shell: bool = True) -> Ended:
        argv = ["sh", "-c", _SHELL, "sh", command] if shell else shlex.split(command)
        return self._exec(argv, None, timeout)

    def write(self, data: bytes, path: str, mode: int) -> None:
        _check_size(len(data), path)
        done = self._again(["sh", "-c", _WRITE, "sh", expanded(self, path), f"{mode:o}"], data)
        _written(done, path, self.name)

    def read(self, path: str) -> bytes:
        from base64 import b64decode

        # Text, in pieces: what one command may say is bounded, and a file may be anything.
        parts: list[bytes] = []
        step = 2 * 1024 * 1024
        while True:
            tail = f"tail -c +{len(parts) * step + 1} {quoted(path)} | head -c {step} | base64"
            done = self._again(["sh", "-c", f"[ -r {quoted(path)} ] && {tail}"], None)
            if done.code != 0:
                raise SdsError(f"{path} cannot be read", target=self.name, words=done.stderr)
            piece = b64decode(done.stdout)
            parts.append(piece)
            _check_size(sum(map(len, parts)), path)
            if len(piece) < step:
                return b"".join(parts)

    def _again(self, argv: list[str], stdin: bytes | None) -> Ended:
        """A command that may run twice: tried again when the connection is cut before its exit code is known, which
        API servers do now and then to commands with input."""
        for _ in range(TRIES - 1):
            try:
                return self._exec(argv, stdin, None)
            except ClusterError:
                time.sleep(0.5)
        return self._exec(argv, stdin, None)

    def _exec(self, argv: list[str], stdin: bytes | None, timeout: float | None) -> Ended:
        from sdsk8s.backends.kubernetes.exec import exec_

        done = exec_(self._cluster, self.name, self._container, argv, stdin=stdin, timeout=timeout or DAY)
        return Ended(done.code, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


class MachineTarget:
    """A host over SSH, in a login shell as the legacy tool had it."""

    pod = False

    def __init__(self, name: str, connect: Callable[[], Remote]) -> None:
        self.name = name
        self._connect = connect
        self._remote: Remote | None = None

    def run(self, command: str, timeout: float | None = None, shell: bool = True) -> Ended:
        argv = ["/bin/bash", "-l", "-c", command] if shell else shlex.split(command)
        done = self._open().run(argv, timeout=timeout)
        return Ended(done.code, done.stdout, done.stderr)

    def write(self, data: bytes, path: str, mode: int) -> None:
        _check_size(len(data), path)
        self._open().write(data, expanded(self, path), mode)

    def read(self, path: str) -> bytes:
        return self._open().read(expanded(self, path), LARGEST)

    def _open(self) -> Remote:
        self._remote = self._remote or self._connect()
        return self._remote


def expanded(target: Target, path: str) -> str:
    """The path with a leading ~ written out by the target's own shell."""
    return target.run(f"printf %s {quoted(path)}").stdout if path.startswith("~") else path


def quoted(path: str) -> str:
    """A path for a shell: quoted, but a leading ~ still means home."""
    head, slash, tail = path.partition("/")
    if head.startswith("~"):
        return head + slash + (shlex.quote(tail) if tail else "")
    return shlex.quote(path)


def local_file(path: Path) -> bytes:
    """Content of a local file that is to be sent."""
    _check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def _check_size(size: int, path: str) -> None:
    if size > LARGEST:
        raise RefusedError(
            f"{path} is larger than {LARGEST >> 20} MiB", next="sdsk8s cp, which streams and verifies files of any size"
        )


def _written(done: Ended, path: str, where: str) -> None:
    if done.code == 0:
        return
    only = "Read-only file system" in done.stderr
    raise SdsError(
        f"{path} cannot be written",
        target=where,
        words=done.stderr,
        next="code is part of the image: sds update COMPONENT" if only else "",
    )
