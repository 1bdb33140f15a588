"""`doctor`: everything that a verb will rely on, asked one by one; each fault with its own cure."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

# The libraries of the back ends are loaded here and not by the threads below: two at once trip over each other.
import sdsk8s.backends.docker.engine
import sdsk8s.backends.registry  # noqa: F401
from sdsk8s.backends.kubernetes.doctor import doctor_checks
from sdsk8s.console.console import Console
from sdsk8s.console.doctor_text import finding_lines, findings_as_dict
from sdsk8s.errors import SdsError
from sdsk8s.model import text
from sdsk8s.model.component import Component
from sdsk8s.model.finding import BROKEN, OK, WARNING, Finding, level
from sdsk8s.model.parallel import together
from sdsk8s.render.config import config_objects
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

SECONDS = 90.0


def run(console: Console, options: Options) -> int:
    """Print what was found; 1 when something is broken, else 0. Warnings do not count."""
    found = list(examine(options))
    if options.json:
        console.print_json(findings_as_dict(found))
    else:
        for line in finding_lines(found):
            console.print(line, color=True)
    return 1 if any(f.level == BROKEN for f in found) else 0


def examine(options: Options) -> Iterator[Finding]:
    """All findings. What cannot be asked because something below it is broken is left out, not called broken."""
    try:
        session = Session(options)
        components = session.here(session.catalogue.ordered())
    except SdsError as err:
        yield _failed("site files", err)
        yield Finding(WARNING, "registry, engine, cluster", "not checked: their addresses are in the site files")
        return
    yield Finding(OK, "site files", f"{session.site.home}: site {session.site.name}")
    yield from _site_files(session, components)
    jobs: dict[str, Callable[[], list[Finding]]] = {
        "registry": lambda: [_registry(session)],
        "container engine": lambda: [_engine(session)],
        "cluster": lambda: list(_cluster(session)),
    }
    for name, result in together(jobs, SECONDS).items():
        yield from [_failed(name, result)] if isinstance(result, SdsError) else result


def _failed(name: str, err: SdsError, cure: str = "fix this, then run doctor again") -> Finding:
    words = "\n".join(part for part in (err.target, err.words) if part)
    return Finding(BROKEN, name, err.what, cure=err.next or cure, says=words)


def _site_files(session: Session, components: list[Component]) -> Iterator[Finding]:
    config = Path(session.site.home) / "config"
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            WARNING, "config file mode", f"{mode:04o}: others can read its secrets", cure=f"chmod 600 {config}"
        )
    for component in components:
        name = f"configuration of {component.name}"
        try:
            objects = config_objects(session.site, session.catalogue, component, load_texts(session.site, [component]))
        except SdsError as err:
            cure = f"fix it; if the site has no {component.name}, set `where: external` in site.yaml"
            yield _failed(name, err, cure)
            continue
        if objects:
            yield Finding(OK, name, f"rendered: {', '.join(sorted(o['metadata']['name'] for o in objects))}")
    if not session.site.registry:
        return  # image names begin with it; its own line says that it is missing
    try:
        refs = session.images.refs({n: s for c in components for n, s in c.images.items()})
        yield Finding(OK, "source tree", f"{session.site.source}: {text.count(len(refs), 'image')}")
    except SdsError as err:
        yield _failed("source tree", err)


def _registry(session: Session) -> Finding:
    host = session.site.registry
    if not host:
        return Finding(WARNING, "registry", "not set in site.yaml", cure="set `registry: host:port` before `update`")
    ok, words = session.images.registry.reachable(host)
    cure = "" if ok else f"start it, or fix `registry` in {session.site.home}/site.yaml"
    return Finding(level(ok), "registry", host if ok else f"{host} does not answer", cure=cure, says=words)


def _engine(session: Session) -> Finding:
    engine = session.images.engine
    try:
        version = str(engine.ping().get("Version", ""))
    except SdsError as err:
        cure = err.next or f"start it, set `engine` in {session.site.home}/site.yaml, or set DOCKER_HOST"
        return Finding(BROKEN, "container engine", f"{err.what} ({engine.url})", cure=cure, says=err.words)
    return Finding(OK, "container engine", f"{version} at {engine.url}")


def _cluster(session: Session) -> Iterator[Finding]:
    try:
        cluster = session.cluster
    except SdsError as err:
        yield _failed("kubeconfig", err)
        return
    for i, check in enumerate(doctor_checks(cluster)):
        yield check
        if i == 0 and check.level == BROKEN:
            # Without the API server every further question has the same answer.
            return
