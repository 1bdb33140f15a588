"""`assess` and `migrate import`: what an old site holds, and the site folder that it becomes."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sdsk8s.migrate.findings import Finding
    from sdsk8s.migrate.importing import Draft
    from sdsk8s.migrate.inventory import Given
    from sdsk8s.model.catalogue import Catalogue

F = TypeVar("F", bound=Callable[..., Any])


def _sources(command: F) -> F:
    """Options that name the old site's files; COMPONENT= may be left out where the file's path tells it."""
    given: dict[str, Any] = {"multiple": True, "metavar": "[COMPONENT=]FILE"}
    options: list[Callable[[F], F]] = [
        click.option("--from", "home", envvar="SDS_HOME", help="The old site's folder instead of ~/.sds."),
        click.option("--supervisord", help="A supervisord configuration; its includes are followed.", **given),
        click.option("--crontab", help="A crontab, of a user or of /etc/cron.d.", **given),
        click.option("--systemd", "--unit", "systemd", help="A unit file, or a folder of them.", **given),
        click.option("--strict", is_flag=True, help="Exit code 1 if anything changed meaning or has no counterpart."),
        click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_sources
def assess(home: str | None, strict: bool, output: str, **files: tuple[str, ...]) -> None:
    """Report what is taken over, what changes its meaning and what has no counterpart, each with file and line."""
    from sdsk8s.migrate.assess import assess as examine
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.folder import home_folder

    catalogue = load_catalogue()
    found = examine(home_folder(home), catalogue, _given(catalogue, files))
    _tell(found, output, {})
    raise click.exceptions.Exit(_code(found, strict))


@click.group()
def migrate() -> None:
    """From an old site to a site folder of this project."""


@migrate.command("import")
@_sources
@click.option("--settings", multiple=True, metavar="[COMPONENT=]FILE", help="A settings file that its programs read.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The folder to write: a new SDS_HOME.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="The report as an HTML page, drawn.")
@click.option("--source", default="", metavar="DIR", help="The source tree, instead of the old site's.")
@click.option("--registry", default="", metavar="HOST:PORT", help="Where the new site's images go.")
@click.option("-f", "--force", is_flag=True, help="Write over a folder that exists; the old one is kept beside it.")
@click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Report and check, and write nothing.")
def import_(
    home: str | None,
    strict: bool,
    output: str,
    out: Path,
    report: Path | None,
    source: str,
    registry: str,
    force: bool,
    dry_run: bool,
    **files: tuple[str, ...],
) -> None:
    """Write a site folder that `sds` and `sdsk8s` work with, and report what became of everything.

    Exit code 1 with --strict when anything changed meaning or has no counterpart, 3 when the new folder cannot be
    rendered yet; the report says why.
    """
    from sdsk8s.errors import RefusedError
    from sdsk8s.migrate.importing import Importer
    from sdsk8s.migrate.inventory import take_inventory
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.folder import home_folder

    catalogue, old = load_catalogue(), home_folder(home)
    out = out.expanduser().absolute()
    if out.exists() and not force and not dry_run:
        raise RefusedError(
            "the folder is there already", target=str(out), next="another --out, or -f: it is kept beside"
        )
    if old.resolve() in (out.resolve(), *out.resolve().parents) or out.resolve() in old.resolve().parents:
        raise RefusedError("the new folder and the old one lie in each other", target=str(out), next="another --out")
    given = _given(catalogue, files)
    draft = Importer(take_inventory(old, catalogue, given), catalogue, source, registry).run(given.settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        staged = Path(folder) / "site"
        _write(draft, staged)
        looked, broken = _check(staged, draft)
        draft.findings += broken
        if report is not None:
            _page(report, draft, staged, str(old), str(out), dry_run)
        done = {"folder": str(out), "written": [], "kept": "", "checked": looked, "broken": len(broken)}
        done["registry"] = registry
        if not dry_run:
            if out.exists():
                kept = out.with_name(f"{out.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
                out.rename(kept)
                done["kept"] = str(kept)
            staged.rename(out)
            done["written"] = sorted(draft.files)
    _tell(draft.findings, output, done)
    raise click.exceptions.Exit(_code(draft.findings, strict) or (3 if broken else 0))


def _given(catalogue: Catalogue, files: dict[str, tuple[str, ...]]) -> Given:
    from sdsk8s.migrate.fabric_verdicts import table
    from sdsk8s.migrate.inventory import Given

    def pairs(texts: Sequence[str]) -> tuple[tuple[str, Path], ...]:
        return tuple(p for text in texts for p in _pairs(catalogue, text))

    verdicts = {kind: {n: (v.verdict, v.now) for n, v in names.items()} for kind, names in table().items()}
    return Given(
        pairs(files.get("supervisord", ())), pairs(files.get("crontab", ())), pairs(files.get("systemd", ())),
        pairs(files.get("settings", ())), verdicts,
    )  # fmt: skip


def _pairs(catalogue: Catalogue, text: str) -> list[tuple[str, Path]]:
    """(component, file); of a folder every unit file."""
    name, equals, file = text.partition("=")
    if not equals:
        name, file = "", text
    path = Path(file).expanduser()
    if name:
        component = catalogue.get(name).name
    else:
        words = set(re.split(r"[^A-Za-z0-9]+", str(path.absolute())))
        hits = [c.name for c in catalogue.ordered() if words & {c.name, *c.aliases, c.ssh.home if c.ssh else c.name}]
        if len(hits) != 1:
            raise click.UsageError(f"which component is {file} of? write COMPONENT={file}")
        component = hits[0]
    if not path.exists():
        raise click.UsageError(f"{file} does not exist")
    if path.is_dir():
        return [(component, p) for p in sorted(path.iterdir()) if p.is_file()]
    return [(component, path)]


def _write(draft: Draft, folder: Path) -> None:
    for name, content in draft.files.items():
        path = folder / name
        for parent in reversed([p for p in path.parents if p.is_relative_to(folder)]):
            parent.mkdir(exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        if name.startswith("overrides/"):
            # Images are read by uid 10001, and scripts among these files are started.
            path.chmod(0o755 if content.startswith(b"#!") else 0o644)


def _check(home: Path, draft: Draft) -> tuple[dict[str, int], list[Finding]]:
    """Load, render and lint the folder: ({what: how many}, what is wrong)."""
    from sdsk8s.cli.lint import look
    from sdsk8s.errors import SdsError
    from sdsk8s.migrate.findings import NONE, Finding
    from sdsk8s.migrate.settings import environments
    from sdsk8s.render.objects import namespace_object
    from sdsk8s.render.objects import render as render_objects
    from sdsk8s.site.overrides import load_overrides
    from sdsk8s.site.templates import load_texts
    from sdsk8s.verbs.options import Options
    from sdsk8s.verbs.session import Session

    def wrong(subject: str, err: SdsError) -> Finding:
        words = "; ".join(t for t in (err.what, err.words) if t).replace(str(home) + "/", "")
        return Finding(NONE, f"check: {subject}", words, err.target.replace(str(home) + "/", ""))

    try:
        load_overrides(home)
        session = Session(Options(home=str(home)))
    except SdsError as err:
        return {"objects": 0}, [wrong("the site", err)]
    objects, found = [namespace_object(session.site)], []
    for c in session.here([c for c in session.catalogue.ordered() if not c.stub]):
        names = {name: f"site/{name}:import" for name in c.images}
        try:
            texts = load_texts(session.site, [c])
            own = render_objects(session.site, session.catalogue, c, texts, names)
        except SdsError as err:
            found.append(wrong(c.name, err))
            continue
        objects += own
        wanted = draft.environment.get(c.name, {})
        for workload, got in environments(own).items() if wanted else ():
            for name in sorted(n for n in wanted if got.get(n) != wanted[n]):
                found.append(Finding(NONE, f"check: {workload}", f"{name} would not be byte-equal", ""))
    looked, lint = look([objects], [], [])
    found += [Finding(NONE, f"check: {f.target}", f"{f.rule}: {f.words}", "") for f in lint]
    return looked, found


def _page(report: Path, draft: Draft, staged: Path, old: str, out: str, dry_run: bool) -> None:
    from sdsk8s.errors import ConfigError
    from sdsk8s.migrate.drawing import draw
    from sdsk8s.migrate.page import page
    from sdsk8s.site.catalogue import load_catalogue
    from sdsk8s.site.folder import load_site

    try:
        site = load_site(staged)
        drawing = draw(site, load_catalogue(site.manifests), draft.queues)
    except ConfigError:
        drawing = None
    text = page(draft.findings, drawing, old=old, new=out, dry_run=dry_run)
    report.unlink(missing_ok=True)
    with os.fdopen(os.open(report, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    click.echo(f"{report}: the report as a page", err=True)


def _code(found: Sequence[Finding], strict: bool) -> int:
    from sdsk8s.migrate.findings import TAKEN

    return 1 if strict and any(f.kind != TAKEN for f in found) else 0


def _tell(found: Sequence[Finding], output: str, done: dict[str, Any]) -> None:
    from sdsk8s.migrate.findings import CHANGED, NONE, TAKEN

    if output == "json":
        click.echo(json.dumps({"version": 1, **done, "findings": [asdict(f) for f in found]}, indent=2))
        return
    for kind, title in {TAKEN: "taken over", CHANGED: "changed meaning", NONE: "no counterpart"}.items():
        part = [f for f in found if f.kind == kind]
        click.echo(f"== {title}: {len(part)}")
        for f in part:
            click.echo(f"  {f.place or '-'}  {f.subject}: {f.words}")
    if not done:
        return
    if done["written"]:
        click.echo(f"== written: {done['folder']}, {len(done['written'])} files")
        click.echo(f"next: SDS_HOME={done['folder']} sdsk8s config check; sdsk8s render; sds update all", err=True)
    else:
        click.echo(f"== nothing written (dry run): {done['folder']}")
    if done["written"] and not done["registry"]:
        click.echo(f"note: set `registry: HOST:PORT` in {done['folder']}/site.yaml before `update`", err=True)
    if done["kept"]:
        click.echo(f"the folder that was there: {done['kept']}", err=True)
