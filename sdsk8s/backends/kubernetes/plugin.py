"""Credentials plug-ins (`users[].user.exec` of a kubeconfig): run with a time limit, and named while waited for."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any

from sdsk8s.backends.kubernetes.library import ExecProvider
from sdsk8s.errors import ClusterError

log = logging.getLogger("sdsk8s.kubernetes")
SECONDS = 60.0
"""How long a plug-in may take; SDS_PLUGIN_TIMEOUT overrides it."""
QUIET_SECONDS = 2.0
"""After so long a line on stderr says what is being waited for."""
_WORDS = 4000


def time_limit() -> float:
    """Seconds of SDS_PLUGIN_TIMEOUT. ClusterError when it is not a number above 0."""
    text = os.environ.get("SDS_PLUGIN_TIMEOUT") or ""
    try:
        seconds = float(text or SECONDS)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ClusterError(f'SDS_PLUGIN_TIMEOUT: expected seconds above 0, got "{text}"')
    return seconds


class Plugin:
    """One user's plug-in. `status` runs it, or answers from the last run while that is still valid."""

    def __init__(self, entry: Any, folder: str, cluster: Any) -> None:
        """entry: the kubeconfig's `exec` node; folder: where its relative paths begin; cluster: the cluster's node."""
        self._provider = ExecProvider(entry, folder, cluster)
        self._mode = str(entry.safe_get("interactiveMode") or "IfAvailable")
        self._hint = str(entry.safe_get("installHint") or "").strip()
        self._status: dict[str, Any] = {}

    @property
    def command(self) -> str:
        return str(self._provider.args[0])

    def status(self) -> dict[str, Any]:
        """The `status` of its ExecCredential. ClusterError: it is missing, fails, hangs, or prints something else."""
        if not self._status or _expired(self._status.get("expirationTimestamp")):
            self._status = self._checked(self._run())
        return self._status

    def _run(self) -> str:
        interactive = self._mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if self._mode == "Always" and not interactive:
            raise self._error(
                "needs a terminal", "interactiveMode: Always", "run the verb on a terminal, or log in first"
            )
        began, limit = time.monotonic(), time_limit()
        try:
            process = subprocess.Popen(
                self._provider.args,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._provider.cwd,
                env={**self._provider.env, "KUBERNETES_EXEC_INFO": json.dumps(self._info(interactive))},
                # Without a terminal of its own it cannot wait for an answer that nobody is asked for.
                start_new_session=not interactive,
            )
        except OSError as err:
            raise self._error(
                "cannot be run", str(err), self._hint or "install it, or correct users[].user.exec"
            ) from None
        readers = [_Reader(process.stdout, None), _Reader(process.stderr, sys.stderr if interactive else None)]
        try:
            code = self._wait(process, limit)
        except BaseException:
            _end(process, whole=not interactive)
            raise
        for reader in readers:
            reader.join(1.0)
        out, words = readers[0].text(), readers[1].text()[-_WORDS:]
        log.debug("credentials plug-in %s: exit code %s in %.1f s", self.command, code, time.monotonic() - began)
        if code is None:
            _end(process, whole=not interactive)
            raise self._error(
                f"did not answer within {limit:g} s", words, "run it by hand; SDS_PLUGIN_TIMEOUT=SECONDS waits longer"
            )
        if code:
            raise self._error("failed", "\n".join(x for x in (f"exit code {code}", words) if x), self._by_hand)
        self._said = words
        return out

    def _wait(self, process: subprocess.Popen[bytes], limit: float) -> int | None:
        for seconds in (min(QUIET_SECONDS, limit), limit - QUIET_SECONDS):
            try:
                return process.wait(max(0.0, seconds))
            except subprocess.TimeoutExpired:
                if seconds == QUIET_SECONDS:
                    print(
                        f"waiting for the credentials plug-in {self.command} (at most {limit:g} s)",
                        file=sys.stderr, flush=True,
                    )  # fmt: skip
        return None

    def _info(self, interactive: bool) -> dict[str, Any]:
        """What KUBERNETES_EXEC_INFO tells it."""
        spec: dict[str, Any] = {"interactive": interactive}
        if self._provider.cluster is not None:
            cluster = dict(self._provider.cluster.value)
            for extension in cluster.pop("extensions", None) or ():
                if extension.get("name") == "client.authentication.k8s.io/exec":
                    cluster["config"] = extension.get("extension")
            spec["cluster"] = cluster
        return {"apiVersion": self._provider.api_version, "kind": "ExecCredential", "spec": spec}

    def _checked(self, out: str) -> dict[str, Any]:
        try:
            answer = json.loads(out)
            status = answer["status"]
            ours = answer.get("apiVersion") == self._provider.api_version
            if ours and (status.get("token") or (status.get("clientCertificateData") and status.get("clientKeyData"))):
                return dict(status)
            words = f'apiVersion "{answer.get("apiVersion")}", fields of status: {", ".join(status) or "none"}'
        except (ValueError, KeyError, TypeError, AttributeError):
            words = f"{len(out)} characters that are not an ExecCredential"  # which may hold a token: it is not shown
        raise self._error(
            f"printed no credentials: expected an ExecCredential of {self._provider.api_version} with a token, or with"
            " a certificate and its key", "\n".join(x for x in (words, self._said) if x), self._by_hand,
        )  # fmt: skip

    @property
    def _by_hand(self) -> str:
        return f"run it by hand: {' '.join(self._provider.args)}"

    def _error(self, what: str, words: str, cure: str) -> ClusterError:
        return ClusterError(
            f"the credentials plug-in {what}", target=f"users[].user.exec: {self.command}", words=words, next=cure
        )


class _Reader(threading.Thread):
    """Collects what a process prints, so that it never waits for us; `echo` sees it at once, as a prompt must be."""

    def __init__(self, stream: IO[bytes] | None, echo: IO[str] | None) -> None:
        super().__init__(daemon=True)
        self._stream, self._echo, self._data = stream, echo, bytearray()
        self.start()

    def run(self) -> None:
        assert self._stream is not None
        with suppress(OSError, ValueError):
            while data := os.read(self._stream.fileno(), 65536):
                self._data += data[: (1 << 20) - len(self._data)]
                if self._echo is not None:
                    self._echo.write(data.decode(errors="replace"))
                    self._echo.flush()

    def text(self) -> str:
        return bytes(self._data).decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes], *, whole: bool) -> None:
    """Kill it; with all that it has started where it has a session of its own."""
    with suppress(ProcessLookupError, PermissionError):
        if whole:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _expired(stamp: Any) -> bool:
    """Whether a time like 2026-01-31T12:00:00Z is over, or soon will be. Without one it is valid until refused."""
    if not stamp:
        return False
    try:
        end = datetime.fromisoformat(str(stamp))
    except ValueError:
        return False
    left = (end if end.tzinfo else end.replace(tzinfo=UTC)) - datetime.now(UTC)
    return left.total_seconds() < 10
