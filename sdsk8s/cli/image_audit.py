"""`sdsk8s images audit`: open built images and look for what does not belong there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.model.catalogue import Catalogue


@click.command("audit")
@click.argument("name", nargs=-1)
@site_options
def audit(name: tuple[str, ...], **kw: Any) -> None:
    """Open NAME... or every image of the site: size, user, set-uid files, compilers, caches, credentials, packages,
    writable places, and programs that manifests start. Exit code 1 when something was found.
    """
    from sdsk8s.backends.docker.audit import Problem, Rules
    from sdsk8s.backends.docker.audit import audit as look
    from sdsk8s.errors import ImageError
    from sdsk8s.verbs.session import Session

    session = Session(Options(**kw))
    service = session.images
    rules = Rules.load(service.workshop.dockerfiles)
    chosen = [service.spec(n).name for n in name] or service.names
    started = programs(session.catalogue)
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for image, ref in service.refs(chosen).items():
        if not service.engine.has(ref):
            if service.registry.digest(ref) is None:
                missing[image] = ref
                continue
            service.engine.pull(ref, lambda line: click.echo(f"  {line}", err=True))
        spec = service.spec(image)
        problems = look(
            service.engine.files(ref), service.engine.config(ref), service.engine.commands(ref), rules,
            needed=started.get(image, ()), allow=spec.allow, secrets=session.site.secret_values(),
        )  # fmt: skip
        size = service.engine.size(ref)
        try:
            service.workshop.budgets.check(image, spec.dockerfile, size, spec.budget)
        except ImageError as err:
            problems = [Problem("size", err.target), *problems]
        found = [{"check": p.check, "words": p.words} for p in problems]
        rows.append({"image": image, "reference": ref, "bytes": size, "problems": found})
    if kw["output"] == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            click.echo(f"{row['image']:<15} {row['bytes'] / 1e6:.0f} MB  {len(row['problems']) or 'no'} problems")
            for p in row["problems"]:
                click.echo(f"  {p['check']:<12} {p['words']}")
    if missing:
        raise ImageError(
            f"not built yet: {', '.join(missing)}",
            target=", ".join(missing.values()),
            next=f"sdsk8s images build {' '.join(missing)}",
        )
    raise click.exceptions.Exit(1 if any(row["problems"] for row in rows) else 0)


def programs(catalogue: Catalogue) -> dict[str, set[str]]:
    """{logical image: programs} that containers, hooks and probes of the manifests start, by name or path."""
    from sdsk8s.model import kube
    from sdsk8s.render.images import LOGICAL

    found: dict[str, set[str]] = {}
    for component in catalogue.ordered():
        for obj in component.manifests:
            for c in kube.containers(obj):
                image = str(c.get("image", ""))
                if image.startswith(LOGICAL):
                    found.setdefault(image.removeprefix(LOGICAL), set()).update(_started(c))
    return found


def _started(container: Mapping[str, Any]) -> set[str]:
    hooks = container.get("lifecycle") or {}
    asked = [container.get("command")]
    for holder in (
        *(container.get(probe) for probe in ("startupProbe", "readinessProbe", "livenessProbe")),
        hooks.get("preStop"),
        hooks.get("postStart"),
    ):
        asked.append(((holder or {}).get("exec") or {}).get("command"))
    return {str(argv[0]) for argv in asked if argv}
