"""supervisord in a pod or on a host: its command line, and what `supervisorctl status` says. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sdsk8s.model import kube
from sdsk8s.model.kube import Object

POD_CONFIG, POD_SOCKET = "/opt/sds/etc/supervisord.conf", "/run/sds/supervisor.sock"
"""Where pods of ours have them."""
_IN_POD = ("/opt/sds/venv/bin/supervisorctl", "-c", POD_CONFIG)
GOOD_STATES = ("RUNNING", "STARTING", "EXITED")
"""States of a healthy program: one that runs once ends as EXITED."""


@dataclass(frozen=True)
class SupervisedProgram:
    """A line of supervisorctl: one supervised program of one pod or host."""

    pod: str
    name: str
    state: str
    words: str = ""

    @property
    def ok(self) -> bool:
        return self.state in GOOD_STATES


def supervisorctl(action: str, *programs: str) -> tuple[str, ...]:
    """The command line in a pod. action: status, start, stop, restart or update; programs: names or `all`."""
    return (*_IN_POD, action, *programs)


def host_supervisorctl(home: str, action: str, *programs: str) -> tuple[str, ...]:
    """The command line on a host, where each component has its own supervisord below its home."""
    return (f"{home}/bin/supervisorctl", "-c", f"{home}/etc/supervisord.conf", action, *programs)


def host_socket(home: str) -> str:
    """The socket of a host's supervisord: it is there while the daemon runs."""
    return f"{home}/run/supervisor.sock"


def askable(pod: Object) -> bool:
    """The pod runs supervisord, which can be asked now."""
    return kube.supervised(pod) and kube.running(pod)


def parse_status(pod: str, text: str) -> list[SupervisedProgram]:
    """Programs of the output of `supervisorctl status`: NAME STATE WORDS per line."""
    out = []
    for line in text.splitlines():
        parts = line.split(None, 2)
        if len(parts) >= 2 and parts[1].isupper():
            out.append(SupervisedProgram(pod, parts[0], parts[1], parts[2] if len(parts) > 2 else ""))
    return out
