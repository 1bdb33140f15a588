"""Every run is a record: a folder with the plan and one line before and after each step.

SDS_HOME/runs/<run id>/run.json        verb, target, who, when, state
SDS_HOME/runs/<run id>/plan.json       the plan, secrets masked
SDS_HOME/runs/<run id>/journal.jsonl   {"at", "step", "event": "begin|done|failed|skipped", ...}
SDS_HOME/runs/<run id>/build-*.log     build logs
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sdsk8s.planner.describe import plan_as_dict
from sdsk8s.planner.steps import Plan


def now() -> str:
    """UTC, ISO 8601, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id() -> str:
    """Sorts by time; unique on a busy site: 20260131-235959-4f2a."""
    return datetime.now(UTC).strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(2)


def who() -> str:
    """user@host of the operator."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


class Journal:
    """Append-only record of one run. Safe to use from several threads; each line is flushed before returning."""

    def __init__(self, home: Path, run_id: str, plan: Plan) -> None:
        self.run_id = run_id
        self.folder = home / "runs" / run_id
        self.folder.mkdir(parents=True, mode=0o700)
        self._lock = threading.Lock()
        self._head: dict[str, Any] = {
            "run": run_id,
            "verb": plan.verb,
            "target": plan.target,
            "namespace": plan.namespace,
            "who": who(),
            "started": now(),
            "ended": None,
            "state": "running",
            "pid": os.getpid(),
        }
        self._write("run.json", self._head)
        self._write("plan.json", plan_as_dict(plan))
        self._lines = self._open("journal.jsonl")

    def record(self, step: int, event: str, **facts: Any) -> None:
        """One line. `step` is the step's number in plan order, from 1."""
        line = json.dumps({"at": now(), "step": step, "event": event, **facts})
        with self._lock:
            os.write(self._lines, (line + "\n").encode())
            os.fsync(self._lines)

    def close(self, state: str) -> None:
        """state: done, failed, partial or interrupted."""
        self._head |= {"ended": now(), "state": state}
        self._write("run.json", self._head)
        os.close(self._lines)

    def _open(self, name: str) -> int:
        return os.open(self.folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def _write(self, name: str, data: Any) -> None:
        temp = self.folder / f".{name}.new"
        fd = os.open(temp, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(data, file, indent=2)
            file.write("\n")
        temp.rename(self.folder / name)


def read_runs(home: Path) -> list[dict[str, Any]]:
    """Heads of all runs, newest first; a folder without a readable head is left out."""
    out = []
    for head in sorted((home / "runs").glob("*/run.json"), reverse=True):
        try:
            out.append(json.loads(head.read_text()))
        except (OSError, ValueError):
            continue
    return out
