"""`images audit`: open built images and look for what does not belong there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sdsk8s.backends.docker.audit import Problem, Rules, audit
from sdsk8s.errors import ImageError
from sdsk8s.model import kube, text
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.render.images import LOGICAL
from sdsk8s.verbs.session import Session


def run(session: Session, names: Sequence[str]) -> int:
    """Print the problems of the images, of all without names; 1 when there are any. ImageError: some are not built."""
    service, console = session.images, session.console
    rules = Rules.load(service.workshop.dockerfiles)
    started = programs(session.catalogue)
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for image, ref in service.refs([service.spec(n).name for n in names] or service.names).items():
        if not service.engine.has(ref):
            if service.registry.digest(ref) is None:
                missing[image] = ref
                continue
            service.engine.pull(ref, lambda line: console.note(f"  {line}"))
        rows.append(_examine(session, image, ref, rules, started.get(image, ())))
    if session.options.json:
        console.print_json(rows)
    else:
        for row in rows:
            problems = text.count(len(row["problems"]), "problem") if row["problems"] else "no problems"
            console.print(f"{row['image']:<15} {text.size(row['bytes'])}  {problems}")
            for p in row["problems"]:
                console.print(f"  {p['check']:<12} {p['words']}")
    if missing:
        raise ImageError(
            f"not built yet: {', '.join(missing)}",
            target=", ".join(missing.values()),
            next=f"sdsk8s images build {' '.join(missing)}",
        )
    return 1 if any(row["problems"] for row in rows) else 0


def _examine(session: Session, image: str, ref: str, rules: Rules, needed: Collection[str]) -> dict[str, Any]:
    """{image, reference, bytes, problems} of an image that the engine has."""
    service = session.images
    engine, spec = service.engine, service.spec(image)
    problems = audit(
        engine.files(ref),
        engine.config(ref),
        engine.commands(ref),
        rules,
        needed=needed,
        allow=spec.allow,
        secrets=session.site.secret_values(),
    )
    size = engine.size(ref)
    try:
        service.workshop.budgets.check(image, spec.dockerfile, size, spec.budget)
    except ImageError as err:
        problems = [Problem("size", err.target), *problems]
    found = [{"check": p.check, "words": p.words} for p in problems]
    return {"image": image, "reference": ref, "bytes": size, "problems": found}


def programs(catalogue: Catalogue) -> dict[str, set[str]]:
    """{logical image: programs} that containers, hooks and probes of the manifests start, by name or path."""
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
