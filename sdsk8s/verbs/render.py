"""`render`: the objects that `update` would apply, without touching a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sdsk8s.console.console import Console
from sdsk8s.errors import ConfigError, ImageError
from sdsk8s.model import kube, text
from sdsk8s.model.component import Component
from sdsk8s.planner.describe import masked
from sdsk8s.render.digests import pin_digests
from sdsk8s.render.objects import namespace_object
from sdsk8s.render.objects import render as render_objects
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.session import Session
from sdsk8s.verbs.status import choose

Files = dict[str, list[Mapping[str, Any]]]
"""{file name: objects}"""


@dataclass(frozen=True)
class Request:
    """out: a folder for files, None to print. only: KIND/NAME of one object. show_secrets: values instead of ***."""

    components: Sequence[str] = ("all",)
    out: Path | None = None
    only: str = ""
    show_secrets: bool = False


def run(session: Session, request: Request) -> int:
    """Print the objects or write them. ConfigError when nothing that is rendered is called like `only`."""
    console = session.console
    files = rendered(session, session.here(choose(session, request.components)))
    if request.only:
        name = request.only.lower()
        files = {file: [o for o in docs if _name(o) == name] for file, docs in files.items()}
        if not any(files.values()):
            raise ConfigError(f"no rendered object is called {request.only}", next="sdsk8s render -o json")
    if request.out is not None:
        _write(console, request.out, files)
        return 0
    objects = [o if request.show_secrets else masked(o) for docs in files.values() for o in docs]
    if session.options.json:
        console.print_json({"apiVersion": "v1", "kind": "List", "items": objects})
    else:
        console.write(_yaml(objects))
    return 0


def rendered(session: Session, chosen: list[Component]) -> Files:
    """The objects by component; the namespace comes first. A reference gets its digest when the registry tells it."""
    texts = load_texts(session.site, chosen)
    refs = {c.name: session.images.refs(c.images) for c in chosen}
    digests = _digests(session, sorted({r for found in refs.values() for r in found.values()}))
    files: Files = {"000-namespace.yaml": [namespace_object(session.site)]}
    for c in chosen:
        objects = render_objects(session.site, session.catalogue, c, texts, refs[c.name])
        files[f"{c.order:03}-{c.name}.yaml"] = [pin_digests(o, digests) for o in objects]
    return {name: docs for name, docs in files.items() if docs}


def _digests(session: Session, refs: list[str]) -> dict[str, str]:
    """{reference: digest}; notes say which are left out."""
    try:
        known = session.images.digests(refs)
    except ImageError as err:
        session.console.note(f"note: digests are missing: {err.what} ({err.words})")
        return {}
    missing = [ref for ref, digest in known.items() if digest is None]
    if missing:
        session.console.note(f"note: not built yet: {', '.join(missing)}")
    return {ref: digest for ref, digest in known.items() if digest}


def _name(obj: Mapping[str, Any]) -> str:
    return kube.title(obj).lower()


def _yaml(objects: Iterable[Any]) -> str:
    return yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True, width=120)


def _write(console: Console, folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, objects in files.items():
        path = folder / name
        # A file that exists already keeps its mode when it is opened: it is made anew.
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(_yaml([dict(o) for o in objects]))
        console.note(f"{path}  {text.count(len(objects), 'object')}")
