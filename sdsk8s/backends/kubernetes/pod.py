"""A container of a pod as a place where commands run."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Sequence

from sdsk8s.backends.kubernetes.api import Cluster
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.target import Ended, check_size, expanded, quoted
from sdsk8s.errors import ClusterError, SdsError

_DAY = 24 * 3600.0
"""A command without a time limit of its own: the API server keeps the connection."""
_TRIES = 3
_PIECE = 2 * 1024 * 1024
_SHELL = 'if command -v bash >/dev/null 2>&1; then exec bash -c "$1"; else exec sh -c "$1"; fi'
_WRITE = (
    'part="$1.sds-part"; umask 077; cat > "$part" && chmod "$2" "$part" && mv -f "$part" "$1" && exit 0; '
    'rm -f "$part"; exit 1'
)


class PodTarget:
    """Commands run without a login shell: no profile is read, only the image's environment counts."""

    pod = True

    def __init__(self, cluster: Cluster, name: str, container: str) -> None:
        self.name = name
        self.container = container
        self._cluster = cluster

    def run(self, argv: Sequence[str], timeout: float | None = None) -> Ended:
        return self._exec(argv, None, timeout)

    def shell(self, line: str, timeout: float | None = None) -> Ended:
        """By bash where the image has it, else by sh."""
        return self._exec(["sh", "-c", _SHELL, "sh", line], None, timeout)

    def write(self, data: bytes, path: str, mode: int) -> None:
        check_size(len(data), path)
        done = self._again(["sh", "-c", _WRITE, "sh", expanded(self, path), f"{mode:o}"], data)
        if done.code != 0:
            read_only = "Read-only file system" in done.stderr
            raise SdsError(
                f"{path} cannot be written",
                target=self.name,
                words=done.stderr,
                next="code is part of the image: sds update COMPONENT" if read_only else "",
            )

    def read(self, path: str) -> bytes:
        # As text and in pieces: the output of one command is bounded, and a file may hold anything.
        parts: list[bytes] = []
        while True:
            tail = f"tail -c +{len(parts) * _PIECE + 1} {quoted(path)} | head -c {_PIECE} | base64"
            done = self._again(["sh", "-c", f"[ -r {quoted(path)} ] && {tail}"], None)
            if done.code != 0:
                raise SdsError(f"{path} cannot be read", target=self.name, words=done.stderr)
            parts.append(b64decode(done.stdout))
            check_size(sum(map(len, parts)), path)
            if len(parts[-1]) < _PIECE:
                return b"".join(parts)

    def _again(self, argv: Sequence[str], stdin: bytes | None) -> Ended:
        """A command that may run twice: tried again when the connection is cut before its exit code is known, which
        API servers do now and then to commands with input."""
        for _ in range(_TRIES - 1):
            try:
                return self._exec(argv, stdin, None)
            except ClusterError:
                time.sleep(0.5)
        return self._exec(argv, stdin, None)

    def _exec(self, argv: Sequence[str], stdin: bytes | None, timeout: float | None) -> Ended:
        done = exec_(self._cluster, self.name, self.container, list(argv), stdin=stdin, timeout=timeout or _DAY)
        return Ended(done.code, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
