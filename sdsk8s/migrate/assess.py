"""Everything that an old site holds, with a verdict for each part; nothing is changed or written."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

from sdsk8s.files.legacy import legacy, verdict
from sdsk8s.files.legacy_config import read_legacy_config, without_none
from sdsk8s.migrate.crontab import read_crontab
from sdsk8s.migrate.findings import CHANGED, NONE, TAKEN, Finding, Program
from sdsk8s.migrate.supervisor import read_supervisor
from sdsk8s.migrate.systemd import read_unit
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.config_check import empty

Given = Iterable[tuple[str, Path]]
"""(component, file) pairs."""


def assess(home: Path, catalogue: Catalogue, supervisord: Given, crontabs: Given, units: Given) -> list[Finding]:
    """The findings of `home` (config, files, cluster.py) and of the files given. ConfigError: one cannot be read."""
    config = read_legacy_config(home / "config")
    values = without_none(config.values)
    addressed = {key for c in catalogue.ordered() for key in c.addresses}
    found = []
    for key, value in values.items():
        rule = verdict(legacy()["keys"], key)
        none = "none" in rule and not _blank(value)
        if key in addressed:
            kind, words = CHANGED, "pods use the Service instead; the address counts where the component is external"
        elif none or "changed" in rule:
            kind, words = (NONE, str(rule["none"])) if none else (CHANGED, str(rule["changed"]))
        else:
            kind, words = TAKEN, "a variable of the templates"
        found.append(Finding(kind, key, words, str(config.path), config.lines.get(key, 0)))
    texts = {e.template: c.name for c in catalogue.ordered() for e in c.config}
    supervised = list(supervisord)
    files = home / "files"
    for path in sorted(p for p in files.rglob("*") if p.is_file()) if files.is_dir() else ():
        name = str(path.relative_to(files))
        component = name.removeprefix("supervisord.conf.")
        if name.startswith("supervisord.conf.") and component in catalogue.components:
            supervised.append((component, path))
        if name in texts:
            found.append(Finding(TAKEN, name, f"template of {texts[name]}", str(path)))
            continue
        rule = verdict(legacy()["files"], name)
        kind = CHANGED if "changed" in rule else NONE
        found.append(Finding(kind, name, str(rule.get("changed") or rule.get("none")), str(path)))
    for component, path in supervised:
        read = read_supervisor(path, component, values)
        found += read.findings
        found += [_workload(p) for p in read.programs]
    for component, path in units:
        programs, more = read_unit(path, component, legacy()["units"])
        found += more
        found += [_workload(p) for p in programs]
    for component, path in crontabs:
        found += read_crontab(path, component, path.parent.name == "cron.d" or path.name == "crontab")[1]
    if (home / "cluster.py").exists():
        found += _tasks(home / "cluster.py")
    return found


def _workload(program: Program) -> Finding:
    rule = verdict(
        [{"match": name, **rule} for name, rule in legacy()["programs"].get(program.component, {}).items()],
        program.name,
    )
    subject = f"{program.component}: program {program.name}"
    if "workload" in rule:
        words = f"runs in {rule['workload']}; {program.count} process{'es' * (program.count != 1)} before"
        return Finding(CHANGED, subject, words, program.file, program.line)
    words = str(rule.get("none") or "no workload of the catalogue runs it: add one in a manifests folder of the site")
    return Finding(NONE, subject, words, program.file, program.line)


def _blank(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, dict) and all(empty(x) for x in v.values()) for v in value)
    return empty(value)


def _tasks(path: Path) -> list[Finding]:
    try:
        tree = ast.parse(path.read_text())
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as err:
        return [Finding(NONE, path.name, f"Python cannot read it: {err}", str(path), getattr(err, "lineno", 0) or 0)]
    return [
        Finding(CHANGED, f"{path.name} {node.name}", "run it with `sds fab`, which has a verdict for each call",
                str(path), node.lineno)
        for node in tree.body if isinstance(node, ast.FunctionDef)
    ]  # fmt: skip
