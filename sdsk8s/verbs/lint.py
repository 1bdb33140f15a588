"""`lint`: mistakes in manifests, Dockerfiles and the site's own files, found without cluster and network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.console.console import Console
from sdsk8s.errors import ConfigError
from sdsk8s.lint import dockerfile, schema
from sdsk8s.lint.look import Looked, Objects, look
from sdsk8s.render.objects import namespace_object
from sdsk8s.render.objects import render as render_objects
from sdsk8s.site.data import folder
from sdsk8s.site.templates import load_texts
from sdsk8s.site.yamlfile import read_all, read_mapping
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

COMPONENT_FILE = "component.yaml"


def run(console: Console, options: Options, paths: Sequence[Path]) -> int:
    """Check the files and folders, or the whole site when there are none; 1 when something was found.

    ConfigError for a path with nothing to check.
    """
    notes = []
    if not schema.available():
        notes.append('field names and types were not checked: pip install "sdsk8s[lint]"')
    if dockerfile.program() is None:
        notes.append('Dockerfiles were checked for moving tags only: pip install "sdsk8s[lint]"')
    looked = of_paths(paths) if paths and str(paths[0]) != "site" else of_site(Session(options, console))
    found = looked.findings
    if options.json:
        rows = [{"rule": f.key, "target": f.subject, "words": f.words} for f in found]
        console.print_json({"looked_at": looked.counts, "findings": rows, "notes": notes})
    else:
        for f in found:
            console.print(f"{f.key:<20} {f.subject}: {f.words}")
        for note in notes:
            console.note(f"note: {note}")
        said = ", ".join(f"{count} {what}" for what, count in looked.counts.items())
        console.print(f"{len(found) or 'no'} findings in {said}")
    return 1 if found else 0


def of_site(session: Session) -> Looked:
    """Everything that the site would apply and build."""
    chosen = session.here([c for c in session.catalogue.ordered() if not c.stub])
    texts = load_texts(session.site, chosen)
    objects: Objects = [namespace_object(session.site)]
    for c in chosen:
        names = {name: f"site/{name}:lint" for name in c.images}
        objects += render_objects(session.site, session.catalogue, c, texts, names)
    own = {Path(spec.folder) / "Dockerfile" for c in chosen for spec in c.images.values() if spec.folder}
    return look([objects], [], [*sorted(folder("dockerfiles").glob("*/Dockerfile")), *sorted(own)])


def of_paths(paths: Sequence[Path]) -> Looked:
    """Each folder with manifests is one set; a file named by itself is one as well."""
    sets: list[Objects] = []
    declared: Objects = _declared(folder("manifests"))
    dockerfiles: list[Path] = []
    for path in paths:
        found = _Inside.of(path)
        if path.is_dir():
            declared += _declared(path)
        if not found.sets and not found.dockerfiles:
            raise ConfigError("nothing to check", target=str(path))
        dockerfiles += found.dockerfiles
        sets += found.sets
    return look(sets, declared, dockerfiles)


@dataclass(frozen=True)
class _Inside:
    """What a path holds: sets of manifests, one for each folder, and Dockerfiles."""

    sets: list[Objects]
    dockerfiles: list[Path]

    @classmethod
    def of(cls, path: Path) -> _Inside:
        if not path.exists():
            raise ConfigError("nothing to check", target=str(path))
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        by_folder: dict[Path, Objects] = {}
        for file in inside:
            if file.suffix in (".yaml", ".yml") and file.name != COMPONENT_FILE:
                docs = [d for d in read_all(file) if isinstance(d, dict) and d.get("kind")]
                by_folder.setdefault(file.parent, []).extend(docs)
        dockerfiles = [p for p in inside if p.name == "Dockerfile" or p.name.startswith("Dockerfile.")]
        return cls([objects for objects in by_folder.values() if objects], dockerfiles)


def _declared(root: Path) -> Objects:
    """ConfigMaps and Secrets that `component.yaml` files promise: their names and keys, no values."""
    found: Objects = []
    for file in sorted(root.rglob(COMPONENT_FILE)):
        data = read_mapping(file)
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for entry in data.get("config") or ():
            kind = "Secret" if entry.get("secret") else "ConfigMap"
            groups.setdefault((kind, str(entry.get("into"))), {})[str(entry.get("file"))] = ""
        for secret in data.get("secrets") or ():
            groups[("Secret", str(secret.get("name")))] = dict.fromkeys(secret.get("keys") or (), "")
        found += [{"kind": kind, "metadata": {"name": n}, "data": data} for (kind, n), data in groups.items()]
    return found
