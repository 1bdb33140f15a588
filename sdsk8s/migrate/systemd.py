"""Reads unit files of systemd: services become programs, known ones are stores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from sdsk8s.errors import ConfigError
from sdsk8s.migrate.findings import CHANGED, NONE, TAKEN, Finding, Program

_SAME = {"Description", "ExecStart", "Environment", "Type"}
_CHANGED = {
    "Restart": "a pod's program is always started again", "RestartSec": "pauses between restarts grow by themselves",
    "User": "pods run as uid 10001", "Group": "pods run as gid 10001",
    "WorkingDirectory": "working directory of the container", "After": "order comes from `needs` and from readiness",
    "Wants": "order comes from `needs`", "Requires": "order comes from `needs`",
    "WantedBy": "replicas say whether it runs", "TimeoutStopSec": "grace period", "KillSignal": "see the workload",
    "StandardOutput": "logs go to stdout", "StandardError": "logs go to stdout",
    "LimitNOFILE": "the node sets such limits",
}  # fmt: skip


def read_unit(path: Path, component: str, stores: Mapping[str, str]) -> tuple[list[Program], list[Finding]]:
    """stores: {unit: store of the catalogue}. A unit that is no service is a finding without counterpart."""
    try:
        rows = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError("this unit file cannot be read", target=str(path), words=str(err)) from None
    name, suffix = path.stem, path.suffix
    if suffix != ".service":
        return [], [Finding(NONE, path.name, f"units of this kind ({suffix or 'none'}) have no counterpart", str(path))]
    if name in stores:
        return [], [Finding(CHANGED, path.name, f"replaced by the store {stores[name]} of the catalogue", str(path))]
    found: list[Finding] = []
    values: dict[str, tuple[str, int]] = {}
    environment: dict[str, str] = {}
    joined, start = "", 0
    for number, row in enumerate(rows, 1):
        joined, start = joined + row.strip(), start or number
        if joined.endswith("\\"):
            joined = joined[:-1] + " "
            continue
        line, first, joined, start = joined, start, "", 0
        key, equals, value = line.partition("=")
        if not equals or line.startswith(("#", ";", "[")):
            continue
        subject = f"{path.name} {key}"
        if key == "Environment":
            for part in shlex.split(value):
                var, _, text = part.partition("=")
                environment[var] = text
        if key == "ExecStart" and key in values:
            found.append(Finding(NONE, subject, "a second command of one unit: make it a program", str(path), first))
            continue
        values[key] = (value, first)
        kind, words = (TAKEN, "as it was") if key in _SAME else (CHANGED, _CHANGED.get(key, ""))
        if not words:
            kind, words = NONE, "nothing on Kubernetes reads it"
        found.append(Finding(kind, subject, words, str(path), first))
    command = values.get("ExecStart", ("", 0))
    if not command[0]:
        return [], [*found, Finding(NONE, path.name, "it has no ExecStart", str(path))]
    if values.get("Type", ("simple", 0))[0] == "forking":
        found.append(Finding(NONE, path.name, "it goes to the background: a pod needs a program that stays",
                             str(path), values["Type"][1]))  # fmt: skip
        return [], found
    grace = re.match(r"\d+", values.get("TimeoutStopSec", ("", 0))[0])
    signal = values.get("KillSignal", ("TERM", 0))[0].removeprefix("SIG")
    program = Program(
        component, name, command[0].lstrip("-@+!:"), str(path), command[1], tuple(environment.items()),
        values.get("WorkingDirectory", ("", 0))[0], 1, signal, int(grace.group()) if grace else 90,
    )  # fmt: skip
    return [program], found
