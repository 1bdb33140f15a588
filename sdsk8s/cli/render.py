"""`render`: what the catalogue and the site's files come to, without touching a cluster."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.complete import complete_component
from sdsk8s.cli.options import site_options
from sdsk8s.model import kube
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.model.component import Component
    from sdsk8s.verbs.session import Session

Files = dict[str, list[Mapping[str, Any]]]


@click.command()
@click.argument("component", nargs=-1, shell_complete=complete_component)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write files (mode 0600) into a folder.")
@click.option("--only", metavar="KIND/NAME", default="", help="One object, as in secret/sds-credentials.")
@click.option("--show-secrets", is_flag=True, help="Print the values of Secrets instead of ***.")
@site_options
def render(component: tuple[str, ...], out: Path | None, only: str, show_secrets: bool, **kw: Any) -> None:
    """Print the objects that `update` would apply: COMPONENT... or everything, stores included.

    Files of --out hold the values of Secrets: they are meant for `kubectl apply -f FOLDER`.
    """
    from sdsk8s.cli.status import choose
    from sdsk8s.errors import ConfigError
    from sdsk8s.planner.describe import masked
    from sdsk8s.verbs.session import Session

    options = Options(**kw)
    session = Session(options)
    chosen = session.here(choose(session.catalogue, component or ("all",), legacy=False))
    files = _objects(session, chosen)
    if only:
        files = {file: [o for o in docs if _named(o) == only.lower()] for file, docs in files.items()}
        if not any(files.values()):
            raise ConfigError(f"nothing that is rendered is called {only}", next="sdsk8s render -o json")
    if out is not None:
        _write(out, files)
        return
    objects = [o if show_secrets else masked(o) for docs in files.values() for o in docs]
    if options.output == "json":
        click.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        click.echo(_yaml(objects), nl=False)


def _named(obj: Mapping[str, Any]) -> str:
    return kube.title(obj).lower()


def _objects(session: Session, chosen: list[Component]) -> Files:
    """{file name: objects}; the namespace comes first. A reference gets its digest when the registry tells it."""
    from sdsk8s.errors import ImageError
    from sdsk8s.render.digests import pin_digests
    from sdsk8s.render.objects import namespace_object
    from sdsk8s.render.objects import render as render_objects
    from sdsk8s.site.templates import load_texts

    texts = load_texts(session.site, chosen)
    refs = {c.name: session.images.refs(c.images) for c in chosen}
    try:
        known = session.images.digests(sorted({r for found in refs.values() for r in found.values()}))
    except ImageError as err:
        click.echo(f"note: digests are left out: {err.what} ({err.words})", err=True)
        known = {}
    missing = [ref for ref, digest in known.items() if digest is None]
    if missing:
        click.echo(f"note: not built yet: {', '.join(missing)}", err=True)
    digests = {ref: digest for ref, digest in known.items() if digest}
    files: Files = {"000-namespace.yaml": [namespace_object(session.site)]}
    for c in chosen:
        objects = render_objects(session.site, session.catalogue, c, texts, refs[c.name])
        files[f"{c.order:03}-{c.name}.yaml"] = [pin_digests(o, digests) for o in objects]
    return {name: docs for name, docs in files.items() if docs}


def _yaml(objects: list[Any]) -> str:
    import yaml

    return yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True, width=120)


def _write(folder: Path, files: Files) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, objects in files.items():
        path = folder / name
        # A file that exists already keeps its mode when it is opened: it is made anew.
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(_yaml([dict(o) for o in objects]))
        click.echo(f"{path}  {len(objects)} objects", err=True)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as their longest cell; an empty cell is a dash."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell or '-':<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
