"""Asks the supervisord of a pod or host for its programs."""

from __future__ import annotations

from sdsk8s.backends.target import CommandTarget
from sdsk8s.model.supervisord import (
    SupervisedProgram,
    host_socket,
    host_supervisorctl,
    parse_status,
    supervisorctl,
)


def pod_programs(target: CommandTarget, timeout: float) -> list[SupervisedProgram] | str:
    """Programs of a pod, or words when its supervisord does not answer. SdsError when the command could not be run."""
    return _programs(target, supervisorctl("status"), timeout, "supervisord")


def host_programs(target: CommandTarget, home: str, timeout: float) -> list[SupervisedProgram] | str:
    """Programs of the component at `home` on a host, as the legacy tool asked for them; else words as above."""
    if target.run(["test", "-S", host_socket(home)], timeout).code != 0:
        return f"supervisord not running on {target.name} (no {host_socket(home)})"
    return _programs(target, host_supervisorctl(home, "status"), timeout, f"supervisord on {target.name}")


def _programs(
    target: CommandTarget, command: tuple[str, ...], timeout: float, who: str
) -> list[SupervisedProgram] | str:
    done = target.run(command, timeout)
    # The exit code says no more than the lines do: it is 3 as soon as one program does not run.
    return parse_status(target.name, done.stdout) or f"{who} does not answer: {done.words[-300:]}"
