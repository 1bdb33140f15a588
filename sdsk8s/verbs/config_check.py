"""`config check`: what is odd about a site's configuration, each with its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdsk8s.console.config_text import finding_lines, findings_as_rows
from sdsk8s.console.console import Console
from sdsk8s.model.finding import BROKEN, MISSING, WARNING, Finding
from sdsk8s.model.secrets import secrets_in
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.legacy_config import read_legacy_config
from sdsk8s.site.templates import places


@dataclass(frozen=True)
class Request:
    """home: the site folder, None for the usual one. strict: warnings count as faults."""

    home: str | None = None
    strict: bool = False
    json: bool = False


def run(console: Console, request: Request) -> int:
    """Print the findings; 1 when something is broken or missing, else 0."""
    path = home_folder(request.home) / "config"
    found = findings(path)
    bad = {BROKEN, MISSING, WARNING} if request.strict else {BROKEN, MISSING}
    failed = any(f.level in bad for f in found)
    if request.json:
        console.print_json({"version": 1, "ok": not failed, "findings": findings_as_rows(path, found)})
    else:
        for line in finding_lines(path, found):
            console.print(line)
    return 1 if failed else 0


def findings(path: Path) -> list[Finding]:
    """Everything odd about the configuration file, its mode and the templates beside it."""
    found = list(read_legacy_config(path).findings)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        found.append(Finding(WARNING, "", f"mode {mode:04o}: others can read its secrets", cure=f"chmod 600 {path}"))
    if not any(f.level == BROKEN for f in found):
        found += _templates(path.parent)
    return found


def _templates(home: Path) -> list[Finding]:
    """What looks secret in templates that become ConfigMaps, which everybody who sees the namespace can read."""
    site = load_site(home)
    found: dict[Finding, None] = {}
    for component in load_catalogue(site.manifests).ordered():
        for entry in component.config:
            path = next((p for p in places(site, component, entry) if p.is_file()), None)
            if entry.secret or path is None or site.where(component.name) != "kubernetes":
                continue
            for line, what in secrets_in(path.read_text(errors="replace")):
                cure = f"a variable of the configuration, or `secret: true` for {entry.file} in component.yaml"
                words = f"it looks like {what}: " if not what.startswith("the value") else f"{what}; "
                words += f"ConfigMap {entry.into} would show it"
                found[Finding(WARNING, "", words, file=str(path), line=line, cure=cure)] = None
    return list(found)
