"""`doctor`: everything that a verb will rely on, asked one by one; each fault with its own cure."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import site_options
from sdsk8s.errors import SdsError
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.verbs.session import Session

SECONDS = 90.0
STATES: dict[bool | None, str] = {True: "ok", None: "warning", False: "broken"}


@dataclass(frozen=True)
class Finding:
    """One line. ok None is a warning: worth knowing, nothing is broken."""

    name: str
    ok: bool | None
    found: str
    words: str = ""
    cure: str = ""


@click.command()
@site_options
def doctor(**kw: Any) -> None:
    """Check site files, registry, container engine, cluster and permissions.

    Exit code 1 when something is broken; warnings do not count.
    """
    options = Options(**kw)
    found = list(examine(options))
    if options.output == "json":
        checks = [{**asdict(f), "state": STATES[f.ok]} for f in found]
        for check in checks:
            check.pop("ok")
        click.echo(json.dumps({"version": 1, "ok": not _broken(found), "checks": checks}, indent=2))
    else:
        _print(found)
    raise click.exceptions.Exit(1 if _broken(found) else 0)


def _broken(found: list[Finding]) -> list[Finding]:
    return [f for f in found if f.ok is False]


def examine(options: Options) -> Iterator[Finding]:
    """All findings. What cannot be asked because something below it is broken is left out, not called broken."""
    # Imported here and not by the threads below: libraries with circular imports do not bear two at once.
    import sdsk8s.backends.docker.engine
    import sdsk8s.backends.kubernetes.doctor
    import sdsk8s.backends.registry  # noqa: F401
    from sdsk8s.model.parallel import together
    from sdsk8s.verbs.session import Session

    try:
        session = Session(options)
        session.catalogue  # noqa: B018 - reading it is the check
    except SdsError as err:
        yield _failed("site files", err)
        yield Finding("registry, engine, cluster", None, "not asked: the site files say where they are")
        return
    yield Finding("site files", True, f"{session.site.home}: site {session.site.name}")
    yield from _site_files(session)
    jobs: dict[str, Callable[[], list[Finding]]] = {
        "registry": lambda: [_registry(session)],
        "container engine": lambda: [_engine(session)],
        "cluster": lambda: list(_cluster(session)),
    }
    for name, result in together(jobs, SECONDS).items():
        yield from [_failed(name, result)] if isinstance(result, SdsError) else result


def _failed(name: str, err: SdsError, cure: str = "correct what is named here, then run doctor again") -> Finding:
    words = "\n".join(part for part in (err.target, err.words) if part)
    return Finding(name, False, err.what, words, err.next or cure)


def _site_files(session: Session) -> Iterator[Finding]:
    from sdsk8s.render.config import config_objects
    from sdsk8s.site.templates import load_texts

    config = Path(session.site.home) / "config"
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & 0o077:
        yield Finding("config file mode", None, f"{mode:04o}: others can read its secrets", "", f"chmod 600 {config}")
    for component in session.here(session.catalogue.ordered()):
        name = f"configuration of {component.name}"
        try:
            objects = config_objects(session.site, session.catalogue, component, load_texts(session.site, [component]))
        except SdsError as err:
            cure = f"correct it; a site without {component.name} says `where: external` in site.yaml"
            yield _failed(name, err, cure)
            continue
        if objects:
            yield Finding(name, True, f"rendered: {', '.join(sorted(o['metadata']['name'] for o in objects))}")
    if not session.site.registry:
        return  # image names begin with it; its own line says that it is missing
    try:
        refs = session.images.refs(
            {n: s for c in session.here(session.catalogue.ordered()) for n, s in c.images.items()}
        )
        yield Finding("source tree", True, f"{session.site.source}: {len(refs)} images")
    except SdsError as err:
        yield _failed("source tree", err)


def _registry(session: Session) -> Finding:
    host = session.site.registry
    if not host:
        return Finding("registry", None, "none is set in site.yaml", "", "set `registry: host:port` before `update`")
    ok, words = session.images.registry.reachable(host)
    cure = "" if ok else f"start it, or correct `registry` in {session.site.home}/site.yaml"
    return Finding("registry", ok, host if ok else f"{host} does not answer", words, cure)


def _engine(session: Session) -> Finding:
    engine = session.images.engine
    try:
        version = str(engine.ping().get("Version", ""))
    except SdsError as err:
        cure = err.next or f"start it, set `engine` in {session.site.home}/site.yaml, or set DOCKER_HOST"
        return Finding("container engine", False, f"{err.what} ({engine.url})", err.words, cure)
    return Finding("container engine", True, f"{version} at {engine.url}")


def _cluster(session: Session) -> Iterator[Finding]:
    from sdsk8s.backends.kubernetes.doctor import doctor_checks

    try:
        cluster = session.cluster
    except SdsError as err:
        yield _failed("kubeconfig", err)
        return
    for i, check in enumerate(doctor_checks(cluster)):
        yield Finding(check.name, check.ok, check.found, check.words, check.cure)
        if i == 0 and check.ok is False:
            # Without the API server every further question has the same answer.
            return


def _print(found: list[Finding]) -> None:
    from sdsk8s.console.colour import paint, wanted

    colour = wanted()
    width = max(len(f.name) for f in found)
    paints = {True: "green", None: "yellow", False: "red"}
    for f in found:
        click.echo(f"{paint(f'{STATES[f.ok]:<8}', paints[f.ok], colour)} {f.name:<{width}}  {f.found}", color=True)
        for label, text in (("says", f.words), ("cure", f.cure)):
            for i, line in enumerate(text.splitlines() if f.ok is not True else ()):
                click.echo(f"{'':10}{label + ': ' if i == 0 else '':<6}{line}")
    counts = {state: sum(f.ok is ok for f in found) for ok, state in STATES.items()}
    click.echo(", ".join(f"{n} {state}" for state, n in counts.items() if n))
