"""`runs`: what was done, by whom, and how it ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sdsk8s.console.console import Console
from sdsk8s.console.runs_text import run_lines
from sdsk8s.errors import UsageError
from sdsk8s.runner.journal import read_runs
from sdsk8s.site.folder import home_folder
from sdsk8s.verbs.options import Options

Head = dict[str, Any]
"""The first words of a run's record: run, verb, target, state, who, pid, started, ended."""


def ls(console: Console, options: Options, limit: int) -> int:
    """List the newest runs, newest first."""
    heads = [judged(head) for head in read_runs(home_folder(options.home))[:limit]]
    if options.json:
        console.print_json({"version": 1, "runs": heads})
        return 0
    rows = [("RUN", "VERB", "TARGET", "STATE", "SECONDS", "WHO")]
    rows += [(h["run"], h["verb"], h["target"], h["state"], _seconds(h), h["who"]) for h in heads]
    console.print_table(rows)
    return 0


def show(console: Console, options: Options, run: str) -> int:
    """One run and its steps. run: an id, the beginning of one, or `last`; UsageError when there is none."""
    home = home_folder(options.home)
    head = judged(_find(read_runs(home), run))
    steps = read_steps(home / "runs" / head["run"] / "journal.jsonl")
    if options.json:
        console.print_json({"version": 1, **head, "steps": steps})
        return 0
    for line in run_lines(head, steps):
        console.print(line)
    return 0


def _find(heads: Sequence[Head], run: str) -> Head:
    hits = heads[:1] if run == "last" else [h for h in heads if str(h["run"]).startswith(run)]
    if len(hits) == 1:
        return hits[0]
    words = "candidates: " + ", ".join(str(h["run"]) for h in hits[:5]) if hits else ""
    raise UsageError(
        f'{"several runs begin" if hits else "no run begins"} with "{run}"', words=words, next="sdsk8s runs ls"
    )


def judged(head: Head) -> Head:
    """A run that says `running` but whose process on this host is gone was broken off."""
    host = str(head.get("who", "")).rpartition("@")[2]
    if head.get("state") == "running" and host == socket.gethostname() and not _alive(int(head.get("pid") or 0)):
        return {**head, "state": "broken off"}
    return head


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _seconds(head: Head) -> str:
    if not head.get("ended"):
        return ""
    return str(int((datetime.fromisoformat(head["ended"]) - datetime.fromisoformat(head["started"])).total_seconds()))


def read_steps(journal: Path) -> list[dict[str, Any]]:
    """One entry per step, folded from its lines; a half-written last line is left out."""
    found: dict[int, dict[str, Any]] = {}
    for raw in journal.read_text().splitlines() if journal.exists() else ():
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        empty = {"step": line["step"], "title": "", "state": "begun", "seconds": None, "fact": "", "error": ""}
        step = found.setdefault(line["step"], empty)
        step["title"] = line.get("title", step["title"])
        if line["event"] != "begin":
            step["state"] = line["event"]
            step |= {k: line[k] for k in ("seconds", "fact", "error") if k in line}
    return [found[n] for n in sorted(found)]
