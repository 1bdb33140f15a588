"""`configure` and `config check`: a site's configuration, asked or given, and what is odd about it."""

from __future__ import annotations

import getpass
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from sdsk8s.model.config_check import Finding


@click.command()
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML file of answers: configuration keys, and `site:` with keys of site.yaml. Nothing is asked.",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="One answer; lower-case keys belong to site.yaml. Not for secrets. Nothing is asked.",
)
@click.option("--secrets-from-stdin", is_flag=True, help="Read KEY=VALUE lines of secrets from standard input.")
@click.option("-f", "-y", "--force", "--yes", "yes", is_flag=True, help="Do not ask before changing what is there.")
@click.option("--home", envvar="SDS_HOME", help="Site folder instead of ~/.sds.")
def configure(
    source: Path | None, assignments: tuple[str, ...], secrets_from_stdin: bool, yes: bool, home: str | None
) -> None:
    """Write the site's configuration: the legacy dialogue, merged into what is there."""
    run_configure(home, source, assignments, secrets_from_stdin, yes)  # fmt: skip


def run_configure(
    home_option: str | None, source: Path | None, assignments: tuple[str, ...], stdin: bool, yes: bool
) -> int:
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.configure import save_config, save_site
    from sdsk8s.site.folder import home_folder, load_site
    from sdsk8s.site.legacy_config import read_legacy_config, without_none
    from sdsk8s.site.shipped import bring_defaults, shipped_files
    from sdsk8s.site.yamlfile import read_mapping

    home = home_folder(home_option)
    config, site_file = home / "config", home / "site.yaml"
    current = without_none(read_legacy_config(config).values) if config.exists() else {}
    site = read_mapping(site_file) if site_file.exists() else {}
    given = bool(source or assignments or stdin)
    if not given and not sys.stdin.isatty():
        raise RefusedError(
            "configure asks questions, and there is no terminal to ask",
            next="configure --from FILE, or --set KEY=VALUE",
        )
    if config.exists() and not yes:
        if not sys.stdin.isatty():
            raise RefusedError(f"{config} exists", next="the same command with -f, which merges into it")
        if not click.confirm(f"{config} exists. Merge new answers into it", err=True):
            return 0
    if given:
        answers, site_answers = _given(source, assignments, stdin)
        answers = {**_defaults({**current, **answers}), **answers}
    else:
        answers, site_answers = _dialogue(current, site)
    for line in [*save_config(home, answers), *save_site(home, site_answers)]:
        click.echo(line, err=True)
    saved = load_site(home)
    for line in bring_defaults(home, shipped_files(saved, load_catalogue(saved.manifests))):
        click.echo(line, err=True)
    click.echo("try next: sdsk8s config check", err=True)
    return 0


def _given(source: Path | None, assignments: tuple[str, ...], stdin: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    from sdsk8s.model.names import secret_word, unknown
    from sdsk8s.site.configure import SITE_KEYS
    from sdsk8s.site.yamlfile import read_mapping

    answers: dict[str, Any] = read_mapping(source) if source else {}
    site: dict[str, Any] = answers.pop("site", None) or {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {key or text}: KEY=VALUE is wanted")
        if secret_word(key):
            # What stands on a command line stands in the process list and in the shell's history.
            raise UsageError(f"--set {key}: a secret does not belong on a command line",
                             next="--from FILE, or --secrets-from-stdin")  # fmt: skip
        part = key.split(".")
        if len(part) == 3 and part[0] == "components" and part[2] == "where":
            site.setdefault("components", {}).setdefault(part[1], {})["where"] = value
        elif key in SITE_KEYS:
            site[key] = value
        elif key.upper() == key:
            answers[key] = _typed(key, value)
        else:
            raise UsageError(f"--set {key}: no such key", words=unknown(key, [*SITE_KEYS, "components.NAME.where"]))
    for line in sys.stdin if stdin else ():
        key, equals, value = line.rstrip("\n").partition("=")
        if not equals:
            raise UsageError("standard input: lines of KEY=VALUE are wanted")
        answers[key] = value
    return answers, site


def _typed(key: str, value: str) -> Any:
    """Numbers for the keys that the legacy file holds as numbers; anything else stays text."""
    if key.endswith(("_PORT", "_UID", "_GID")) and value.isdigit():
        return int(value)
    return {"true": True, "false": False, "": None}.get(value, value)


def _defaults(current: Mapping[str, Any]) -> dict[str, Any]:
    """Every key that the dialogue would write and that is not there: its default, or nothing."""
    from sdsk8s.site.legacy import legacy

    out: dict[str, Any] = {}

    def ask(q: Mapping[str, Any]) -> None:
        if q["key"] not in current:
            out[q["key"]] = None if q.get("secret") else default(q)

    def hosts(prefix: str, like: str = "") -> None:
        for suffix in ("_PVT_IP", "_PUB_IP", "_FQDN"):
            if prefix + suffix not in current:
                out[prefix + suffix] = current.get(like + suffix) if like else None

    for block in legacy()["dialogue"]:
        if "hosts" in block:
            hosts(block["hosts"])
        for near in block.get("near", ()):
            hosts(near["prefix"], near["of"])
            for q in near.get("ask", ()):
                ask(q)
        for q in block.get("ask", ()):
            ask(q)
    return out | {k: expand(v) for k, v in legacy()["fixed"].items() if k not in current}


def default(question: Mapping[str, Any]) -> Any:
    """The legacy tool's default, "$login" and its like filled in."""
    return expand(question.get("default"))


def expand(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    if value in ("$uid", "$gid"):
        return os.getuid() if value == "$uid" else os.getgid()
    return value.replace("$login", getpass.getuser()).replace("$home", str(Path.home()))


def _dialogue(current: Mapping[str, Any], site: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Asks everything, in the legacy order; Enter keeps what is there."""
    from sdsk8s.site.configure import SITE_KEYS
    from sdsk8s.site.legacy import legacy

    answers: dict[str, Any] = {}

    def now(key: str) -> Any:
        return answers.get(key, current.get(key))

    def hosts(prefix: str) -> None:
        for suffix in ("_PVT_IP", "_PUB_IP", "_FQDN"):
            key = prefix + suffix
            if isinstance(current.get(key), list):
                click.echo(f"{key} is a list: kept ({', '.join(map(str, current[key]))})", err=True)
                continue
            answers[key] = _ask(key, current.get(key))

    def ask(q: Mapping[str, Any]) -> None:
        key = q["key"]
        if q.get("only_with") and not now(q["only_with"]):
            answers[key] = None
        elif q.get("secret"):
            answers[key] = _ask_secret(q, current.get(key))
        else:
            answers[key] = _ask((q.get("text") and f"{key}, {q['text']}") or key, current.get(key, default(q)), key)

    for block in legacy()["dialogue"]:
        click.echo(f"\n== {block['title']}", err=True)
        if "hosts" in block:
            hosts(block["hosts"])
        for near in block.get("near", ()):
            suffixes = ("_PVT_IP", "_PUB_IP", "_FQDN")
            kept = current.get(near["prefix"] + "_PVT_IP")
            apart = kept is not None and kept != current.get(near["of"] + "_PVT_IP")
            if click.confirm(f"Is {near['title']} on another address", default=apart, err=True):
                hosts(near["prefix"])
            else:
                answers |= {near["prefix"] + s: now(near["of"] + s) for s in suffixes}
            for q in near.get("ask", ()):
                ask(q)
        for q in block.get("ask", ()):
            ask(q)
    click.echo("\n== Kubernetes (site.yaml)", err=True)
    fallback = {"name": "sds", "namespace": "sds"}
    site_answers = {}
    for key in SITE_KEYS:
        value = _ask(key, site.get(key, fallback.get(key)))
        if value is not None:
            site_answers[key] = value
    answers |= {k: expand(v) for k, v in legacy()["fixed"].items() if k not in current}
    return answers, site_answers


def _ask(text: str, value: Any, key: str = "") -> Any:
    answer = click.prompt(f"  {text}", default="" if value is None else value, show_default=value is not None, err=True)
    if str(answer) == str(value):
        return value
    return _typed(key, str(answer)) if key else (str(answer) or None)


def _ask_secret(q: Mapping[str, Any], value: Any) -> Any:
    """Asked twice, not shown; Enter keeps what is there."""
    from sdsk8s.site.configure import password_hash

    kept = value if value is not None else default(q)
    hint = " (Enter keeps it)" if value is not None else f" (Enter: {kept})" if kept else ""
    while True:
        text = f"  {q['key']}{', ' + q['text'] if q.get('text') else ''}{hint}"
        first = click.prompt(text, default="", show_default=False, hide_input=True, err=True)
        if not first:
            if kept or not q.get("filled"):
                return kept
            click.echo("  it must not be empty", err=True)
            continue
        if first == click.prompt("  again", default="", show_default=False, hide_input=True, err=True):
            return password_hash(first) if q.get("hash") else first
        click.echo("  the two are not equal", err=True)


@click.group()
def config() -> None:
    """What is in the site's `config`, and what is odd about it."""


@config.command()
@click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT")
@click.option("--strict", is_flag=True, help="Warnings count as faults.")
@click.option("--home", envvar="SDS_HOME", help="Site folder instead of ~/.sds.")
def check(output: str, strict: bool, home: str | None) -> None:
    """Every oddity of `config` with its line. Exit code 1 for what is broken or missing."""
    from sdsk8s.model.config_check import BROKEN, MISSING, WARNING, Finding
    from sdsk8s.site.folder import home_folder
    from sdsk8s.site.legacy_config import read_legacy_config

    path = home_folder(home) / "config"
    found = list(read_legacy_config(path).findings)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        found.append(Finding(WARNING, "", 0, f"mode {mode:04o}: others can read its secrets", f"chmod 600 {path}"))
    if not any(f.level == BROKEN for f in found):
        found += _templates(path.parent)
    bad = {BROKEN, MISSING, WARNING} if strict else {BROKEN, MISSING}
    failed = any(f.level in bad for f in found)
    if output == "json":
        rows = [{**asdict(f), "file": f.file or str(path)} for f in found]
        click.echo(json.dumps({"version": 1, "ok": not failed, "findings": rows}, indent=2))
    else:
        for f in sorted(found, key=lambda f: (f.file, f.line)):
            place = f"{f.file or path}:{f.line}" if f.line else str(path)
            click.echo(f"{f.level:<8} {place}  {f.key + ': ' if f.key else ''}{f.words}")
            if f.cure:
                click.echo(f"{'':9}try: {f.cure}")
        counts = {level: sum(f.level == level for f in found) for level in dict.fromkeys(f.level for f in found)}
        click.echo(", ".join(f"{n} {level}" for level, n in counts.items()) or f"{path}: nothing odd")
    raise click.exceptions.Exit(1 if failed else 0)


def _templates(home: Path) -> list[Finding]:
    """What looks secret in templates that become ConfigMaps, which everybody who sees the namespace can read."""
    from sdsk8s.model.config_check import WARNING, Finding
    from sdsk8s.model.secrets import secrets_in
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.folder import load_site
    from sdsk8s.site.templates import places

    site = load_site(home)
    found: dict[Finding, None] = {}
    for component in load_catalogue(site.manifests).ordered():
        for entry in component.config:
            path = next((p for p in places(site, component, entry) if p.is_file()), None)
            if entry.secret or path is None or site.where(component.name) != "kubernetes":
                continue
            for line, what in secrets_in(path.read_text(errors="replace")):
                cure = f"a variable of the configuration, or `secret: true` for {entry.file} in component.yaml"
                words = f"it looks like {what}; " if not what.startswith("the value") else f"{what}; "
                words += f"ConfigMap {entry.into} would show it"
                found[Finding(WARNING, "", line, words, cure, str(path))] = None
    return list(found)
