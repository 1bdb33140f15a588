"""`images ls|build|push`: what the site's images are called, whether the registry has them, how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdsk8s.backends.docker.images import Images
from sdsk8s.backends.docker.provenance import refuse_unreleased
from sdsk8s.console.console import Console
from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.model import text
from sdsk8s.model.image import refuse_moving
from sdsk8s.runner.journal import new_run_id
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Build:
    """names: of images, none for all. settings: [IMAGE:]NAME=VALUE, build arguments. layer: "base" or "site".

    release: a tag beside the one made from content. pull: start from what the base's tag means now. push: to the
    registry as well.
    """

    names: Sequence[str] = ()
    settings: Sequence[str] = ()
    layer: str = "site"
    release: str | None = None
    pull: bool = False
    push: bool = False


def ls(session: Session, names: Sequence[str]) -> int:
    """List images: reference by content, digest in the registry, uncompressed size beside its budget."""
    service, console = session.images, session.console
    refs: dict[str, str] = {}
    for image in [service.spec(n).name for n in names] or service.names:
        try:
            refs |= service.refs([image])
        except ConfigError as err:  # a package that is not in the tree hides no other image
            console.note(f"note: {image}: {err.what}")
    digests = service.digests(list(refs.values()))
    rows: list[dict[str, Any]] = []
    for image, ref in refs.items():
        known = service.engine.size(ref) if service.engine.has(ref) else None
        rows.append({"image": image, "reference": ref, "digest": digests[ref], "bytes": known})
    if session.options.json:
        console.print_json(rows)
        return 0
    budgets = service.workshop.budgets
    table = [("IMAGE", "SIZE", "LIMIT", "REFERENCE")]
    for row in rows:
        spec = service.spec(row["image"])
        limit = budgets.limit(spec.name, spec.dockerfile, spec.budget)
        size = text.size(row["bytes"]) if row["bytes"] else ""
        note = "" if row["digest"] else "  (not in the registry)"
        table.append((row["image"], size, text.size(limit), row["reference"] + note))
    console.print_table(table)
    return 0


def build(session: Session, request: Build) -> int:
    """Build the images that neither the engine nor the registry has; with push bring them to the registry.

    A release is refused (RefusedError, ConfigError) before anything is built.
    """
    console = session.console
    args = _arguments(request)
    own = Images(session.site, session.catalogue, args, pull=request.pull) if args or request.pull else None
    service = own or session.images
    chosen = [service.spec(n).name for n in request.names]
    chosen = chosen or [n for n in service.names if service.built_here_or_base(n)]
    if request.release is not None:
        _refuse_release(service, chosen, request.release)
    logs = session.home / "builds" / new_run_id()
    rows: list[dict[str, Any]] = []
    for image, ref in service.refs(chosen, layer=request.layer).items():
        console.note(f"{image}: {ref}")
        built = service.build(image, ref, lambda line: console.note(f"  {line}"), logs, push=request.push)
        if request.release is not None and request.push:
            service.registry.tag(ref, request.release)
        rows.append({"image": image, "reference": ref, "digest": built.digest or None, "fact": built.fact})
    service.keep_lock()
    release = request.release if request.push else None
    if session.options.json:
        console.print_json({"images": rows, "release": release, "logs": str(logs)})
    else:
        _print_built(console, rows, release, logs)
    return 0


def _arguments(request: Build) -> dict[str, dict[str, str]]:
    """The settings as {image or `all`: {argument: value}}. Without an image one is for those that are built."""
    args: dict[str, dict[str, str]] = {}
    for setting in request.settings:
        left, equals, value = setting.partition("=")
        image, colon, argument = left.rpartition(":")
        if not equals or not argument:
            raise UsageError(f"--set {setting}: expected [IMAGE:]NAME=VALUE")
        for target in [image] if colon else list(request.names) or ["all"]:
            args.setdefault(target, {})[argument] = value
    return args


def _refuse_release(service: Images, chosen: Sequence[str], version: str) -> None:
    """Everything that speaks against a release, before anything is built."""
    refuse_moving(f"image:{version}", "--release")
    revisions: dict[str, str] = {}
    for name in chosen:
        if service.spec(name).external is None:
            revisions |= service.workshop.revisions(service.spec(name))
    refuse_unreleased(revisions)


def _print_built(console: Console, rows: Sequence[Mapping[str, Any]], release: str | None, logs: Path) -> None:
    for row in rows:
        console.print(f"{row['image']:<15} {row['reference']}  {row['fact']}")
    if release:
        console.print(f"also tagged {release}")
    if logs.is_dir():
        console.print(f"build logs: {logs}")
