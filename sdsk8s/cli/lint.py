"""`sdsk8s lint`: mistakes in manifests, Dockerfiles and the site's own files, found without cluster and network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.lint.finding import Finding

Objects = list[dict[str, Any]]
COMPONENT_FILE = "component.yaml"


@click.command()
@click.argument("path", nargs=-1, type=click.Path(path_type=Path))
@site_options
def lint(path: tuple[Path, ...], **kw: Any) -> None:
    """Check PATH... (files or folders of manifests and Dockerfiles), or everything that the site would apply and build.

    Exit code 1 when something was found. A rule that does not apply to an object is waived there in writing:
    metadata.annotations, lint.sdsk8s/RULE: the reason.
    """
    from sdsk8s.lint import dockerfile, schema

    notes = []
    if not schema.available():
        notes.append('field names and types were not checked: pip install "sdsk8s[lint]"')
    if dockerfile.program() is None:
        notes.append('Dockerfiles were only looked at for moving tags: pip install "sdsk8s[lint]"')
    looked, found = _paths(path) if path and str(path[0]) != "site" else _site(Options(**kw))
    if kw["output"] == "json":
        rows = [{"rule": f.rule, "target": f.target, "words": f.words} for f in found]
        click.echo(json.dumps({"looked_at": looked, "findings": rows, "notes": notes}, indent=2))
    else:
        for f in found:
            click.echo(f"{f.rule:<20} {f.target}: {f.words}")
        for note in notes:
            click.echo(f"note: {note}", err=True)
        said = ", ".join(f"{count} {what}" for what, count in looked.items())
        click.echo(f"{len(found) or 'no'} findings in {said}")
    raise click.exceptions.Exit(1 if found else 0)


def _site(options: Options) -> tuple[dict[str, int], list[Finding]]:
    from sdsk8s.render.objects import namespace_object
    from sdsk8s.render.objects import render as render_objects
    from sdsk8s.site.data import folder
    from sdsk8s.site.templates import load_texts
    from sdsk8s.verbs.session import Session

    session = Session(options)
    chosen = session.here([c for c in session.catalogue.ordered() if not c.stub])
    texts = load_texts(session.site, chosen)
    objects: Objects = [namespace_object(session.site)]
    for c in chosen:
        names = {name: f"site/{name}:lint" for name in c.images}
        objects += render_objects(session.site, session.catalogue, c, texts, names)
    dockerfiles = sorted(folder("dockerfiles").glob("*/Dockerfile"))
    return look([objects], [], dockerfiles)


def _paths(paths: tuple[Path, ...]) -> tuple[dict[str, int], list[Finding]]:
    """Each folder with manifests is one set; a file named by itself is one as well."""
    from sdsk8s.errors import ConfigError
    from sdsk8s.site.data import folder
    from sdsk8s.site.yamlfile import read_all

    sets: list[Objects] = []
    declared: Objects = _declared(folder("manifests"))
    dockerfiles: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError("there is nothing to check", target=str(path))
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        dockerfiles += [p for p in inside if p.name == "Dockerfile" or p.name.startswith("Dockerfile.")]
        if path.is_dir():
            declared += _declared(path)
        by_folder: dict[Path, Objects] = {}
        for file in inside:
            if file.suffix in (".yaml", ".yml") and file.name != COMPONENT_FILE:
                docs = [d for d in read_all(file) if isinstance(d, dict) and d.get("kind")]
                by_folder.setdefault(file.parent, []).extend(docs)
        new = [objects for objects in by_folder.values() if objects]
        if not new and not any(p in inside for p in dockerfiles):
            raise ConfigError("there is nothing to check", target=str(path))
        sets += new
    return look(sets, declared, dockerfiles)


def _declared(root: Path) -> Objects:
    """ConfigMaps and Secrets that `component.yaml` files promise: their names and keys, no values."""
    from sdsk8s.site.yamlfile import read_mapping

    found: Objects = []
    for file in sorted(root.rglob(COMPONENT_FILE)):
        data = read_mapping(file)
        groups: dict[tuple[str, str], dict[str, str]] = {}
        for entry in data.get("config") or ():
            kind = "Secret" if entry.get("secret") else "ConfigMap"
            groups.setdefault((kind, str(entry.get("into"))), {})[str(entry.get("file"))] = ""
        for secret in data.get("secrets") or ():
            groups[("Secret", str(secret.get("name")))] = dict.fromkeys(secret.get("keys") or (), "")
        found += [{"kind": kind, "metadata": {"name": n}, "data": data} for (kind, n), data in groups.items()]
    return found


def look(sets: list[Objects], declared: Objects, dockerfiles: list[Path]) -> tuple[dict[str, int], list[Finding]]:
    from sdsk8s.lint import schema
    from sdsk8s.lint.dockerfile import dockerfile_findings

    found: list[Finding] = []
    more = [*declared, *(o for objects in sets for o in objects)]
    for objects in sets:
        found += _findings(objects, more)
        if schema.available():
            found += schema.schema_findings(objects)
    for path in dockerfiles:
        found += dockerfile_findings(path)
    return {"objects": sum(len(objects) for objects in sets), "Dockerfiles": len(dockerfiles)}, found


def _findings(objects: Objects, more: Objects) -> list[Finding]:
    from sdsk8s.lint.finding import Finding
    from sdsk8s.lint.together import findings
    from sdsk8s.model import kube

    def odd(obj: Any) -> bool:
        try:
            findings([obj], [obj])
        except (AttributeError, KeyError, TypeError, ValueError):
            return True
        return False

    try:
        return findings(objects, more)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Rules read fields as their kinds have them; what is made of other types is left to the schemas.
        wrong = [o for o in more if odd(o)]
        rest = [o for o in objects if o not in wrong]
        words = "its fields are not of the types that its kind has: no other rule looked at it"
        found = [Finding("schema", kube.title(o), words) for o in objects if o in wrong]
        return found + findings(rest, [o for o in more if o not in wrong])
