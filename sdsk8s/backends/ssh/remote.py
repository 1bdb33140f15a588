"""Commands on a host over SSH: argument lists in, results out, host keys checked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from fabric import Connection
from invoke.exceptions import CommandTimedOut

from sdsk8s.errors import SdsError

CONNECT_SECONDS = 15


class RemoteError(SdsError):
    """A host cannot be reached, does not accept us, or is not the one we know."""


@dataclass(frozen=True)
class RemoteResult:
    """code is the command's exit code."""

    code: int
    stdout: str
    stderr: str


class Remote:
    """One host. target: `[user@]host[:port]`, as the legacy configuration writes addresses.

    key: private key file of the configuration, or None for the agent and the user's own. Host keys are looked up in
    ~/.ssh/known_hosts and in `known_hosts`; an unknown one is refused.
    """

    def __init__(self, target: str, *, key: Any = None, known_hosts: Path | None = None) -> None:
        options: dict[str, Any] = {"key_filename": str(Path(str(key)).expanduser())} if key else {}
        self._connection = Connection(target, connect_timeout=CONNECT_SECONDS, connect_kwargs=options)
        self.host = str(self._connection.host)
        client = self._connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.load_system_host_keys()
        if known_hosts is not None and known_hosts.exists():
            client.load_system_host_keys(str(known_hosts))

    def run(self, argv: list[str], *, timeout: float | None = 30) -> RemoteResult:
        """Run a command to its end, without a terminal. RemoteError says what the host or the library said."""
        with self._explained():
            try:
                done = self._connection.run(shlex.join(argv), hide=True, warn=True, in_stream=False, timeout=timeout)
            except CommandTimedOut:
                raise RemoteError(f"the command did not end within {timeout:.0f} s", target=self.host) from None
        return RemoteResult(int(done.exited), str(done.stdout), str(done.stderr))

    def write(self, data: bytes, path: str, mode: int) -> None:
        """Make a file of these bytes: written beside the old one, then renamed over it."""
        part = f"{path}.sds-part"
        with self._explained(path):
            sftp = self._connection.sftp()
            with sftp.open(part, "w") as file:
                sftp.chmod(part, mode)
                file.write(data)
            sftp.posix_rename(part, path)

    def read(self, path: str, limit: int) -> bytes:
        """The content of a file; RemoteError when it has more than `limit` bytes."""
        with self._explained(path), self._connection.sftp().open(path, "r") as file:
            data: bytes = file.read(limit + 1)
        if len(data) > limit:
            raise RemoteError(f"{path} is larger than {limit >> 20} MiB", target=self.host)
        return data

    @contextmanager
    def _explained(self, path: str = "") -> Iterator[None]:
        """What the libraries raise becomes RemoteError. path: of the file that is asked for."""
        try:
            yield
        except paramiko.AuthenticationException as err:
            raise RemoteError(
                "the host does not accept us",
                target=self.host,
                words=str(err),
                next="check the SSH key and the user",
            ) from None
        except (FileNotFoundError, PermissionError) as err:
            if not path:
                raise RemoteError("the host cannot be reached", target=self.host, words=str(err)) from None
            raise RemoteError(f"{path} cannot be opened", target=self.host, words=str(err)) from None
        except (TimeoutError, paramiko.SSHException, OSError) as err:
            unknown = "not found in known_hosts" in str(err)
            raise RemoteError(
                "the host's key is not known" if unknown else "the host cannot be reached",
                target=self.host,
                words=str(err),
                next=f"ssh-keyscan {self.host} >> ~/.ssh/known_hosts, after checking the key" if unknown else "",
            ) from None
