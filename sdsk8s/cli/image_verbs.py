"""`sdsk8s images`: what the site's images are called, whether the registry has them, how large they are, building."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.image_audit import audit
from sdsk8s.cli.image_prune import prune
from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.verbs.session import Session


@click.group()
def images() -> None:
    """Images of the site."""


images.add_command(audit)
images.add_command(prune)


@images.command("ls")
@click.argument("name", nargs=-1)
@site_options
def ls(name: tuple[str, ...], **kw: Any) -> None:
    """List images: reference by content, digest in the registry, uncompressed size beside its budget."""
    from sdsk8s.errors import ConfigError
    from sdsk8s.verbs.session import Session

    session = Session(Options(**kw))
    service = session.images
    refs: dict[str, str] = {}
    notes: list[str] = []
    for image in [service.spec(n).name for n in name] or service.names:
        try:
            refs |= service.refs([image])
        except ConfigError as err:  # a package that is not in the tree hides no other image
            notes.append(f"{image}: {err.what}")
    digests = service.digests(list(refs.values()))
    rows: list[dict[str, Any]] = []
    for image, ref in refs.items():
        known = service.engine.size(ref) if service.engine.has(ref) else None
        rows.append({"image": image, "reference": ref, "digest": digests[ref], "bytes": known})
    for note in notes:
        click.echo(f"note: {note}", err=True)
    if kw["output"] == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    budgets = service.workshop.budgets
    click.echo(f"{'IMAGE':<15} {'SIZE':>8} {'BUDGET':>8}  REFERENCE")
    for row in rows:
        spec = service.spec(row["image"])
        limit = budgets.limit(spec.name, spec.dockerfile, spec.budget) // 1_000_000
        size = f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "-"
        note = "" if row["digest"] else "  (not in the registry)"
        click.echo(f"{row['image']:<15} {size:>8} {limit:>5} MB  {row['reference']}{note}")
    click.echo(f"before: {budgets.before} MB with all tools, {budgets.goal} MB after the first slimming")


def _build_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--release", metavar="VERSION", help="Tag as VERSION too; from clean git trees only."),
        click.option("--layer", type=click.Choice(["base", "site"]), default="site", show_default=True,
                     help="base: without the site's overrides."),
        click.option("--pull", is_flag=True, help="Start from what the base's tag means now; see images.lock."),
        click.option("--set", "settings", multiple=True, metavar="[IMAGE:]NAME=VALUE",
                     help="A build argument that the Dockerfile declares; may be given again."),
        click.argument("name", nargs=-1),
    ):  # fmt: skip
        command = option(command)
    return command


@images.command("build")
@_build_options
@site_options
def build(
    name: tuple[str, ...], settings: tuple[str, ...], layer: str, release: str | None, pull: bool, **kw: Any
) -> None:
    """Build NAME... or every image of the site in the engine, unless it or the registry has it."""
    _make(name, settings, layer, release, push=False, pull=pull, kw=kw)


@images.command("push")
@_build_options
@site_options
def push(
    name: tuple[str, ...], settings: tuple[str, ...], layer: str, release: str | None, pull: bool, **kw: Any
) -> None:
    """Push NAME... or every image of the site to its registry, building what is missing."""
    _make(name, settings, layer, release, push=True, pull=pull, kw=kw)


def _make(
    names: tuple[str, ...],
    settings: tuple[str, ...],
    layer: str,
    release: str | None,
    *,
    push: bool,
    pull: bool,
    kw: dict[str, Any],
) -> None:
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.runner.journal import new_run_id
    from sdsk8s.verbs.session import Session

    session = Session(Options(**kw))
    args = _settings(settings, names)
    service = Images(session.site, session.catalogue, args, pull=pull) if args or pull else session.images
    chosen = [service.spec(name).name for name in names] or [n for n in service.names if service.built_here_or_base(n)]
    if release is not None:
        _refuse_release(service, chosen, release)
    refs = service.refs(chosen, layer=layer)
    logs = session.home / "builds" / new_run_id()
    rows: list[dict[str, Any]] = []
    for image, ref in refs.items():
        click.echo(f"{image}: {ref}", err=True)
        built = service.build(image, ref, lambda line: click.echo(f"  {line}", err=True), logs, push=push)
        if release is not None and push:
            service.registry.tag(ref, release)
        rows.append({"image": image, "reference": ref, "digest": built.digest or None, "fact": built.fact})
    service.keep_lock()
    _print(session, rows, release if push else None, logs, kw["output"])


def _settings(settings: tuple[str, ...], names: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """`--set` as {image or `all`: {argument: value}}. Without an image it is for those that are built."""
    args: dict[str, dict[str, str]] = {}
    for text in settings:
        left, equals, value = text.partition("=")
        image, colon, argument = left.rpartition(":")
        if not equals or not argument:
            raise click.UsageError(f"--set {text}: [IMAGE:]NAME=VALUE is wanted")
        for target in [image] if colon else list(names) or ["all"]:
            args.setdefault(target, {})[argument] = value
    return args


def _refuse_release(service: Images, chosen: list[str], version: str) -> None:
    """Everything that speaks against a release, before anything is built."""
    from sdsk8s.backends.docker.provenance import refuse_unreleased
    from sdsk8s.model.image import refuse_moving

    refuse_moving(f"image:{version}", "--release")
    revisions: dict[str, str] = {}
    for name in chosen:
        if service.spec(name).external is None:
            revisions |= service.workshop.revisions(service.spec(name))
    refuse_unreleased(revisions)


def _print(session: Session, rows: list[dict[str, Any]], release: str | None, logs: Path, output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"images": rows, "release": release, "logs": str(logs)}, indent=2))
        return
    for row in rows:
        click.echo(f"{row['image']:<15} {row['reference']}  {row['fact']}")
    if release:
        click.echo(f"tagged {release} as well")
    if logs.is_dir():
        click.echo(f"build logs: {logs}")
