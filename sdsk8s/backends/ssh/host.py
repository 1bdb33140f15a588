"""A host over SSH as a place where commands run; host keys are checked."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdsk8s.backends.deferred import undefer
from sdsk8s.backends.target import LARGEST, Ended, check_size, expanded
from sdsk8s.errors import SdsError

undefer("paramiko")  # the Docker engine's room defers it
import paramiko  # noqa: E402
from fabric import Connection  # noqa: E402
from invoke.exceptions import CommandTimedOut  # noqa: E402

log = logging.getLogger("sdsk8s.ssh")
CONNECT_SECONDS = 15


class HostError(SdsError):
    """A host cannot be reached, rejects the login, or is not the one we know."""


class HostTarget:
    """One host; the connection is opened by the first command. address: `[user@]host[:port]`, as the legacy
    configuration writes addresses.

    key: private key file of the configuration, or None for the agent and the user's own. Host keys are looked up in
    ~/.ssh/known_hosts and in `known_hosts`; an unknown one is refused.
    """

    pod = False

    def __init__(self, address: str, *, key: Any = None, known_hosts: Path | None = None) -> None:
        options: dict[str, Any] = {"key_filename": str(Path(str(key)).expanduser())} if key else {}
        self._connection = Connection(address, connect_timeout=CONNECT_SECONDS, connect_kwargs=options)
        self.name = str(self._connection.host)
        client = self._connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.load_system_host_keys()
        if known_hosts is not None and known_hosts.exists():
            client.load_system_host_keys(str(known_hosts))

    def run(self, argv: Sequence[str], timeout: float | None = None) -> Ended:
        """Without a terminal and without a login shell. HostError says what the host or the library said."""
        log.debug("%s: run %s", self.name, shlex.join(argv))
        with self._explained():
            try:
                done = self._connection.run(shlex.join(argv), hide=True, warn=True, in_stream=False, timeout=timeout)
            except CommandTimedOut:
                raise HostError(f"the command did not end within {timeout:.0f} s", target=self.name) from None
        log.debug("%s: exit code %d", self.name, done.exited)
        return Ended(int(done.exited), str(done.stdout), str(done.stderr))

    def shell(self, line: str, timeout: float | None = None) -> Ended:
        """In a login shell, as the legacy tool had it."""
        return self.run(["/bin/bash", "-l", "-c", line], timeout)

    def write(self, data: bytes, path: str, mode: int) -> None:
        """Written beside the old file, then renamed over it."""
        check_size(len(data), path)
        path = expanded(self, path)
        part = f"{path}.sds-part"
        with self._explained(path):
            sftp = self._connection.sftp()
            with sftp.open(part, "w") as file:
                sftp.chmod(part, mode)
                file.write(data)
            sftp.posix_rename(part, path)

    def read(self, path: str) -> bytes:
        path = expanded(self, path)
        with self._explained(path), self._connection.sftp().open(path, "r") as file:
            data: bytes = file.read(LARGEST + 1)
        check_size(len(data), path)
        return data

    @contextmanager
    def _explained(self, path: str = "") -> Iterator[None]:
        """What the libraries raise becomes HostError. path: of the file that is asked for."""
        try:
            yield
        except paramiko.AuthenticationException as err:
            raise HostError(
                "the host rejected the login",
                target=self.name,
                words=str(err),
                next="check the SSH key and the user",
            ) from None
        except (FileNotFoundError, PermissionError) as err:
            if not path:
                raise HostError("the host cannot be reached", target=self.name, words=str(err)) from None
            raise HostError(f"{path} cannot be opened", target=self.name, words=str(err)) from None
        except (TimeoutError, paramiko.SSHException, OSError) as err:
            unknown = "not found in known_hosts" in str(err)
            raise HostError(
                "unknown host key" if unknown else "the host cannot be reached",
                target=self.name,
                words=str(err),
                next=f"ssh-keyscan {self.name} >> ~/.ssh/known_hosts, after checking the key" if unknown else "",
            ) from None
