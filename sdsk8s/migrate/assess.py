"""Everything that an old site holds, with a verdict for each part; nothing is changed or written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sdsk8s.migrate.given import Given
from sdsk8s.migrate.inventory import take_inventory
from sdsk8s.migrate.old_programs import OldProgram
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.finding import CHANGED, NONE, Finding
from sdsk8s.site.legacy import legacy, verdict


def assess(home: Path, catalogue: Catalogue, given: Given) -> list[Finding]:
    """The findings of `home` (config, files, cluster.py) and of the files given. ConfigError: one cannot be read."""
    read = take_inventory(home, catalogue, given)
    timers = [
        Finding(
            CHANGED,
            f"{t.component}: timer {t.name}",
            "becomes a CronJob: `sdsk8s migrate import` writes it",
            t.file,
            t.line,
        )
        for t in read.timers
    ]
    return [*read.findings, *(_workload(p) for p in read.programs), *timers]


def program_rule(program: OldProgram) -> Mapping[str, str]:
    """What the catalogue says about a program of that name: `workload` that runs it, or `none`: why there is none."""
    rules = legacy()["programs"].get(program.component, {})
    return {k: str(v) for k, v in verdict([{"match": n, **r} for n, r in rules.items()], program.name).items()}


def _workload(program: OldProgram) -> Finding:
    rule = program_rule(program)
    subject = f"{program.component}: program {program.name}"
    if "workload" in rule:
        words = f"runs in {rule['workload']}; {program.count} process{'es' * (program.count != 1)} before"
        return Finding(CHANGED, subject, words, program.file, program.line)
    words = rule.get("none") or (
        f"no container can run it: {program.trouble}" if program.trouble
        else "no workload in the catalogue runs it: `sdsk8s migrate import` writes one"
    )  # fmt: skip
    return Finding(NONE if "none" in rule or program.trouble else CHANGED, subject, words, program.file, program.line)
