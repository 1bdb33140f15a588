"""Talking to the lab's supervisord, and starting it inside the lab's control group."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from sdsk8s.errors import RefusedError, SdsError
from sdsk8s.lab import cgroups
from sdsk8s.lab.plan import Lab
from sdsk8s.lab.programs import environment


@dataclass(frozen=True)
class Part:
    """A part's state now. `uptime` in seconds, `pid` 0 when it is not running."""

    name: str
    state: str
    pid: int
    uptime: int
    words: str


def rpc(lab: Lab) -> Any:
    transport = SupervisorTransport(None, None, f"unix://{lab.supervisor_socket}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def alive(lab: Lab) -> bool:
    """Whether a supervisord answers at the lab's socket. RefusedError when we may not ask it."""
    if not lab.supervisor_socket.exists():
        return False
    try:
        return bool(rpc(lab).getState()["statename"] == "RUNNING")
    except PermissionError as err:
        raise RefusedError(
            "the lab belongs to root: run as root",
            target=str(lab.supervisor_socket),
            words=str(err),
            next="sudo sdsk8s lab ...",
        ) from None
    except (OSError, xmlrpc.client.Error, ValueError, http.client.HTTPException):
        return False


def parts(lab: Lab) -> list[Part]:
    """All parts; empty when supervisord is not running."""
    if not alive(lab):
        return []
    found = []
    for info in rpc(lab).getAllProcessInfo():
        running = info["statename"] == "RUNNING"
        uptime = max(0, info["now"] - info["start"]) if running else 0
        found.append(Part(info["name"], info["statename"], info["pid"], uptime, info["description"]))
    return found


def start(lab: Lab) -> None:
    """Start supervisord in the group <lab>/system, with a clean environment; returns when it answers."""
    group = f"{lab.cgroup}/system"
    cgroups.create(group)
    enter = "; ".join(f"echo $$ > {file}" for file in cgroups.entry_files(group))
    command = f'{enter}; exec "$0" -m supervisor.supervisord -c "$1"'
    done = subprocess.run(
        ["/bin/sh", "-ec", command, sys.executable, str(lab.etc / "supervisord.conf")],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    deadline = time.monotonic() + 20
    while done.returncode == 0 and time.monotonic() < deadline:
        if alive(lab):
            return
        time.sleep(0.05)
    raise SdsError(
        "supervisord did not start",
        target=str(lab.etc / "supervisord.conf"),
        words=done.stderr or done.stdout,
        next=f"less {lab.logs}/supervisord.log",
    )


def begin(lab: Lab, names: Sequence[str]) -> None:
    """Start parts that are not running."""
    for name in names:
        try:
            rpc(lab).startProcess(name, False)
        except xmlrpc.client.Fault as err:
            if "ALREADY_STARTED" not in err.faultString:
                raise SdsError(
                    f"{name} does not start",
                    words=err.faultString,
                    next=f"sdsk8s lab logs {name} --name {lab.name}",
                ) from err


def stop(lab: Lab, names: Sequence[str], timeout: float = 15) -> None:
    """Ask parts to end, all at once, and wait until they have (supervisord kills those that do not)."""
    server = rpc(lab)
    for name in names:
        try:
            server.stopProcess(name, False)
        except xmlrpc.client.Fault:
            continue  # not running
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not any(part.pid for part in parts(lab) if part.name in names):
            return
        time.sleep(0.1)


def shutdown(lab: Lab, timeout: float = 20) -> None:
    """End supervisord itself; whatever does not follow is left to the group's kill."""
    try:
        pid = int(rpc(lab).getPID())
        rpc(lab).shutdown()
    except (OSError, xmlrpc.client.Error):
        return
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
