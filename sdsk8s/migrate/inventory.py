"""Reads everything that an old site holds; nothing is changed or written."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sdsk8s.migrate.crontab import read_crontab
from sdsk8s.migrate.given import Given, Verdicts
from sdsk8s.migrate.old_programs import OldProgram, Timer
from sdsk8s.migrate.supervisor import read_supervisor
from sdsk8s.migrate.systemd import read_units
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.config_check import empty
from sdsk8s.model.finding import CHANGED, NONE, TAKEN, Finding
from sdsk8s.site.legacy import legacy, verdict
from sdsk8s.site.legacy_config import LegacyConfig, read_legacy_config, without_none


@dataclass
class Inventory:
    """findings: all but those of programs and timers, whose fate depends on what is made of them."""

    home: Path
    config: LegacyConfig
    values: dict[str, object]
    findings: list[Finding] = field(default_factory=list)
    programs: list[OldProgram] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)

    def addresses(self) -> dict[str, list[str]]:
        """{address of an old host: keys of the configuration that name it}"""
        found: dict[str, list[str]] = {}
        for key, value in self.values.items():
            if str(key).endswith(("_PVT_IP", "_PUB_IP", "_FQDN")) and isinstance(value, str) and not empty(value):
                found.setdefault(value.rpartition("@")[2], []).append(key)
        return found


def take_inventory(home: Path, catalogue: Catalogue, given: Given) -> Inventory:
    """Of `home` (config, files, cluster.py) and of the files given. ConfigError: one cannot be read."""
    config = read_legacy_config(home / "config")
    # a key that is no text is told by the check of the new folder; templates cannot name it
    out = Inventory(home, config, {str(k): v for k, v in without_none(config.values).items()})
    _config(out, catalogue)
    supervised = [*given.supervisord, *_files(out, catalogue)]
    for component, path in supervised:
        read = read_supervisor(path, component, out.values)
        out.findings += read.findings
        out.programs += read.programs
    units = read_units(given.units, legacy()["units"])
    out.findings += units.findings
    out.programs += units.programs
    out.timers += units.timers
    for component, path in given.crontabs:
        timers, found = read_crontab(path, component, path.parent.name in ("cron.d", "etc"))
        out.timers += timers
        out.findings += found
    for path in sorted(home.iterdir()):
        if path.name == "cluster.py":
            out.findings += _tasks(path, given.verdicts)
        elif path.name not in ("config", "files"):
            out.findings.append(Finding(NONE, path.name, "no part of the catalogue reads it; it is kept", str(path)))
    return out


def _config(out: Inventory, catalogue: Catalogue) -> None:
    addressed = {key for c in catalogue.ordered() for key in c.addresses}
    for key, value in out.values.items():
        rule = verdict(legacy()["keys"], str(key))
        none = "none" in rule and not _blank(value)
        if key in addressed:
            kind, words = CHANGED, "pods use the Service instead; the address is used only if the component is external"
        elif none or "changed" in rule:
            kind, words = (NONE, str(rule["none"])) if none else (CHANGED, str(rule["changed"]))
        else:
            kind, words = TAKEN, "a variable of the templates"
        out.findings.append(Finding(kind, str(key), words, str(out.config.path), out.config.lines.get(key, 0)))


def _files(out: Inventory, catalogue: Catalogue) -> Iterable[tuple[str, Path]]:
    """Findings of the files folder; the supervisord configurations in it."""
    texts = {e.template: c.name for c in catalogue.ordered() for e in c.config}
    files = out.home / "files"
    supervised = []
    for path in sorted(p for p in files.rglob("*") if p.is_file() or p.is_symlink()) if files.is_dir() else ():
        name = str(path.relative_to(files))
        if not path.is_file():
            words = "this is a link to a directory: replace it with the directory" if path.is_dir() else "broken link"
            out.findings.append(Finding(NONE, name, words, str(path)))
            continue
        component = name.removeprefix("supervisord.conf.")
        if name.startswith("supervisord.conf.") and component in catalogue.components:
            supervised.append((component, path))
        if name in texts:
            out.findings.append(Finding(TAKEN, name, f"template of {texts[name]}", str(path)))
            continue
        rule = verdict(legacy()["files"], name)
        kind = CHANGED if "changed" in rule else NONE
        out.findings.append(Finding(kind, name, str(rule.get("changed") or rule.get("none")), str(path)))
    return supervised


def _blank(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(v, dict) and all(empty(x) for x in v.values()) for v in value)
    return empty(value)


def _tasks(path: Path, verdicts: Verdicts) -> list[Finding]:
    """A finding for each task: the hardest verdict of what it calls."""
    try:
        tree = ast.parse(path.read_text())
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as err:
        return [Finding(NONE, path.name, f"Python cannot read it: {err}", str(path), getattr(err, "lineno", 0) or 0)]
    known = {**verdicts.get("primitives", {}), **verdicts.get("tasks", {})}
    found = [Finding(CHANGED, path.name, "kept as it is: run its tasks with `sds fab -f cluster.py`", str(path))]
    for node in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
        said = {name: known[name] for name in sorted(_called(node)) if name in known}
        refused = [f"{name}: {now}" for name, (how, now) in said.items() if how == "refused"]
        changed = [f"{name}: {now}" for name, (how, now) in said.items() if how == "changed"]
        kind = NONE if refused else CHANGED if changed or not verdicts else TAKEN
        words = "; ".join(["run it with `sds fab`", *(f"refused {r}" for r in refused), *changed])
        if verdicts and not said:
            words += "; every function that it calls has the same meaning"
        found.append(Finding(kind, f"{path.name} {node.name}", words, str(path), node.lineno))
    return found


def _called(node: ast.FunctionDef) -> set[str]:
    """Names that the function calls, and those of its decorators."""
    calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    found = {c.id if isinstance(c, ast.Name) else c.attr for c in calls if isinstance(c, ast.Name | ast.Attribute)}
    return found | {d.id for d in node.decorator_list if isinstance(d, ast.Name)}
