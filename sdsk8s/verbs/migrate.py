"""`migrate import`: the site folder that an old site becomes, checked before it is put in place."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sdsk8s.console.console import Console
from sdsk8s.console.migrate_text import exit_code, finding_lines, findings_as_dict
from sdsk8s.errors import ConfigError, RefusedError, SdsError
from sdsk8s.lint.look import look
from sdsk8s.migrate.drawing import draw
from sdsk8s.migrate.importing import Draft, Importer
from sdsk8s.migrate.inventory import take_inventory
from sdsk8s.migrate.page import page
from sdsk8s.migrate.settings import environments
from sdsk8s.model import text
from sdsk8s.model.finding import NONE, Finding
from sdsk8s.render.objects import namespace_object
from sdsk8s.render.objects import render as render_objects
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.overrides import load_overrides
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.old_site import OldSite
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """out: the folder to write. report: an HTML page to write as well. force: keep a folder at out beside the new one.

    source: the source tree, registry: where images go; empty for what the old site tells.
    strict: exit code 1 if anything changed its meaning or has no counterpart.
    """

    old: OldSite
    out: Path
    report: Path | None = None
    source: str = ""
    registry: str = ""
    force: bool = False
    dry_run: bool = False
    strict: bool = False
    json: bool = False


@dataclass(frozen=True)
class Done:
    """What an import did. written: files of the folder; kept: the old folder's new name; checked: {what: how many}."""

    folder: str
    written: list[str] = field(default_factory=list)
    kept: str = ""
    checked: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0
    registry: str = ""


def run(console: Console, request: Request) -> int:
    """Import, check, put the folder in place, report; the exit code, 3 when the new folder cannot be rendered yet.

    RefusedError when the folder exists, or when it and the old site's lie in each other.
    """
    catalogue, old = load_catalogue(), home_folder(request.old.home)
    out = request.out.expanduser().absolute()
    if out.exists() and not request.force and not request.dry_run:
        raise RefusedError(
            "the folder exists",
            target=str(out),
            next="choose another --out, or use -f (the existing folder is renamed to .bak)",
        )
    if old.resolve() in (out.resolve(), *out.resolve().parents) or out.resolve() in old.resolve().parents:
        raise RefusedError(
            "--out must not be inside the old site folder, or contain it", target=str(out), next="another --out"
        )
    given = request.old.given(catalogue)
    inventory = take_inventory(old, catalogue, given)
    draft = Importer(inventory, catalogue, request.source, request.registry).run(given.settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        staged = Path(folder) / "site"
        _write(draft, staged)
        checked, broken = _check(staged, draft)
        draft.findings += broken
        if request.report is not None:
            _write_page(request.report, draft, staged, old=old, new=out, dry_run=request.dry_run)
            console.note(f"{request.report}: the report as a page")
        kept, written = "", []
        if not request.dry_run:
            kept, written = _put_in_place(staged, out), sorted(draft.files)
    done = Done(str(out), written, kept, checked, len(broken), request.registry)
    if request.json:
        console.print_json(findings_as_dict(draft.findings, **asdict(done)))
    else:
        for line in finding_lines(draft.findings):
            console.print(line)
        _print_end(console, done)
    return exit_code(draft.findings, strict=request.strict) or (3 if broken else 0)


def _put_in_place(staged: Path, out: Path) -> str:
    """Move the folder to out; the name of the one that was there, or ""."""
    kept = ""
    if out.exists():
        beside = out.with_name(f"{out.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        out.rename(beside)
        kept = str(beside)
    staged.rename(out)
    return kept


def _print_end(console: Console, done: Done) -> None:
    if done.written:
        console.print(f"== written: {done.folder}, {text.count(len(done.written), 'file')}")
        console.note(f"next: SDS_HOME={done.folder} sdsk8s config check; sdsk8s render; sds update all")
        if not done.registry:
            console.note(f"note: set `registry: HOST:PORT` in {done.folder}/site.yaml before `update`")
    else:
        console.print(f"== nothing written (dry run): {done.folder}")
    if done.kept:
        console.note(f"the previous folder: {done.kept}")


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


def _check(home: Path, draft: Draft) -> tuple[Mapping[str, int], list[Finding]]:
    """Load, render and lint the folder: ({what: how many}, what is wrong)."""

    def wrong(subject: str, err: SdsError) -> Finding:
        words = "; ".join(t for t in (err.what, err.words) if t).replace(str(home) + "/", "")
        return Finding(NONE, f"check: {subject}", words, err.target.replace(str(home) + "/", ""))

    try:
        load_overrides(home)
        session = Session(Options(home=str(home)))
        components = session.here([c for c in session.catalogue.ordered() if not c.stub])
    except SdsError as err:
        return {"objects": 0}, [wrong("the site", err)]
    objects, found = [namespace_object(session.site)], []
    for c in components:
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
                found.append(Finding(NONE, f"check: {workload}", f"{name} would change its content", ""))
    looked = look([objects], [], [])
    found += [Finding(NONE, f"check: {f.subject}", f"{f.key}: {f.words}", "") for f in looked.findings]
    return looked.counts, found


def _write_page(report: Path, draft: Draft, staged: Path, *, old: Path, new: Path, dry_run: bool) -> None:
    """The report as an HTML page, with a drawing of the new site when it can be loaded."""
    try:
        site = load_site(staged)
        drawing = draw(site, load_catalogue(site.manifests), draft.queues)
    except ConfigError:
        drawing = None
    text = page(draft.findings, drawing, old=str(old), new=str(new), dry_run=dry_run)
    report.unlink(missing_ok=True)
    with os.fdopen(os.open(report, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
