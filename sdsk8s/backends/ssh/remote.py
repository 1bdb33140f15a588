"""Commands on a host over SSH: argument lists in, results out, host keys checked."""

from __future__ import annotations

import shlex
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

    def run(self, argv: list[str], *, timeout: float = 30) -> RemoteResult:
        """Run a command to its end, without a terminal. RemoteError says what the host or the library said."""
        try:
            done = self._connection.run(shlex.join(argv), hide=True, warn=True, in_stream=False, timeout=timeout)
        except CommandTimedOut:
            raise RemoteError(f"the command did not end within {timeout:.0f} s", target=self.host) from None
        except paramiko.AuthenticationException as err:
            raise RemoteError(
                "the host does not accept us", target=self.host, words=str(err), next="check KEY_FILENAME and the user"
            ) from None
        except (TimeoutError, paramiko.SSHException, OSError) as err:
            unknown = "not found in known_hosts" in str(err)
            raise RemoteError(
                "the host's key is not known" if unknown else "the host cannot be reached",
                target=self.host,
                words=str(err),
                next=f"ssh-keyscan {self.host} >> ~/.ssh/known_hosts, after checking the key" if unknown else "",
            ) from None
        return RemoteResult(int(done.exited), str(done.stdout), str(done.stderr))
