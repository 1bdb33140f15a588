"""A real S3 server for tests: versitygw over a folder, built once into the project's cache by the lab's Go."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdsk8s.lab import tools

MODULE = "github.com/versity/versitygw/cmd/versitygw"
VERSION = "v1.8.0"
ACCESS, SECRET = "test-access", "test-secret-key"


@dataclass(frozen=True)
class S3Server:
    url: str
    folder: Path


def program() -> Path:
    """The server, built when it is not in the cache (some minutes, once)."""
    found = tools.cache() / f"versitygw-{VERSION}" / "versitygw"
    with tools.locked(tools.cache() / "versitygw.lock"):
        if not found.exists():
            say = print
            found.parent.mkdir(parents=True, exist_ok=True)
            env = tools.go_environment(GOBIN=str(found.parent))
            subprocess.run(
                [tools.find_go(say), "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@{VERSION}"],
                env=env,
                check=True,
            )
    return found


@contextmanager
def serve(folder: Path) -> Iterator[S3Server]:
    """Buckets are the sub-folders of `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sidecar = folder.with_name("metadata")
    for path in (folder, sidecar):
        path.mkdir(parents=True, exist_ok=True)
    command = [str(program()), "--port", f"127.0.0.1:{port}", "--access", ACCESS, "--secret", SECRET, "--region",
               "us-west-2", "posix", "--sidecar", str(sidecar), str(folder)]  # fmt: skip
    with (folder.with_name("s3.log")).open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait(port, process)
            yield S3Server(f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, "the S3 server does not start"
            time.sleep(0.1)
