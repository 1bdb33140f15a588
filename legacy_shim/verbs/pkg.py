"""`sds pkg ls|export|import|rm`: containers with their job specs, in the legacy tool's documents and tar layout."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from legacy_shim.console import legacy_session
from legacy_shim.verbs.rules import ENGINE, INDICES, store
from sdsk8s.backends.http import Search
from sdsk8s.backends.http.search import exactly
from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.model.names import unknown
from sdsk8s.model.package import Package, folder_name
from sdsk8s.site.package import PackageFile, write_package
from sdsk8s.verbs.endpoints import search_engine
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.package_files import Payloads

CONTAINERS, JOB_SPECS = "containers", "job_specs"
IOS = {"mozart": "hysds_ios-mozart", "grq": "hysds_ios-grq"}
ON_FIRST = ("mozart", "figaro")
"""Values of an input's `component` that belong to the first index; every other one to the second."""


def ls(options: Options) -> int:
    """One container id per line."""
    session = legacy_session(options)
    with search_engine(session, ENGINE) as engine:
        ids = engine.ids(CONTAINERS)
    if options.json:
        session.console.print_json({"version": 1, "containers": ids})
        return 0
    for container_id in ids:
        session.console.print(container_id)
    return 0


def export(options: Options, *, id: str, outdir: str, accounts: bool, skip: bool) -> int:
    """Write `<outdir>/<id>.sdspkg.tar`."""
    session = legacy_session(options)
    name = folder_name(id)
    target = Path(outdir) / f"{name}.tar"
    for path in (target, Path(outdir) / name):
        if path.exists():
            raise RefusedError(f"{path} already exists", next="move it, or choose another directory with -o")
    with search_engine(session, ENGINE) as engine:
        package = collect(engine, id)
    if not accounts:
        package = package.without_accounts()
    payloads = Payloads(session)
    wanted = package.own() if skip else package.payloads()
    Path(outdir).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=outdir, prefix=".sdspkg-") as folder:
        for file, url in wanted.items():
            session.console.note(f"fetching {url}")
            payloads.fetch(url, Path(folder) / file)
        write_package(package.moved({}), name, Path(folder), target)
    session.console.print(str(target))
    return 0


def collect(engine: Search, container_id: str) -> Package:
    """Everything that belongs to a container. UsageError with the nearest id when there is none."""
    container = engine.get(CONTAINERS, container_id)
    if container is None:
        raise UsageError(f'no container named "{container_id}"', words=unknown(container_id, engine.ids(CONTAINERS)))
    specs = [doc for _, doc in engine.all(JOB_SPECS, exactly("container", container_id))]
    ios = []
    names = set()
    for spec in specs:
        for index in IOS.values():
            ios += [doc for _, doc in engine.all(index, exactly("job-specification", spec["id"]))]
        names.add(spec["id"])
    rules = {
        side: [doc for _, doc in engine.all(index) if doc.get("job_spec") in names or doc.get("job_type") in names]
        for side, index in INDICES.items()
    }
    return Package({"id": container_id, **container}, tuple(specs), tuple(ios), rules)


def load(options: Options, *, file: str, skip: bool) -> int:
    """Load a package: images first, then what refers to them."""
    session = legacy_session(options)
    payloads = Payloads(session)
    with PackageFile(Path(file)) as opened:
        package = opened.package
        places = {name: payloads.place(name) for name in package.payloads()}
        sent = 0
        for name in package.own() if skip else package.payloads():
            content = opened.image(name)
            if content is not None:
                session.console.note(f"storing {name} at {places[name]}")
                payloads.store(content, places[name])
                sent += 1
        moved = package.moved(places)
        with search_engine(session, ENGINE) as engine:
            index_package(engine, moved)
    session.console.print(
        f"{moved.container['id']}: {len(moved.job_specs)} job specs, {len(moved.hysds_ios)} inputs, "
        f"{sum(map(len, moved.user_rules.values()))} rules, {sent} images"
    )
    return 0


def index_package(engine: Search, package: Package) -> None:
    """Put all documents of a package into their indices, under their own ids."""
    for spec in package.job_specs:
        engine.put(JOB_SPECS, spec["id"], spec)
    for io in package.hysds_ios:
        engine.put(IOS["mozart" if io.get("component") in ON_FIRST else "grq"], io["id"], io)
    for side, rules in package.user_rules.items():
        if side in INDICES:
            store(engine, INDICES[side], rules)
    # Last: a container that can be seen is complete.
    engine.put(CONTAINERS, package.container["id"], package.container)


def rm(options: Options, *, id: str) -> int:
    """Remove a container, its job specs and their inputs. Dependency images and user rules stay, as they did."""
    session = legacy_session(options)
    gone: list[Any] = []
    with search_engine(session, ENGINE) as engine:
        package = collect(engine, id)
        engine.delete(CONTAINERS, id)
        for spec in package.job_specs:
            for index in IOS.values():
                for doc_id, _ in engine.all(index, exactly("job-specification", spec["id"])):
                    gone.append(engine.delete(index, doc_id))
            gone.append(engine.delete(JOB_SPECS, spec["id"]))
    words = f"{id}: {len(package.job_specs)} job specs and {len(gone) - len(package.job_specs)} inputs removed"
    for url in package.own().values():
        words += ", its image too" if Payloads(session).remove(url) else f"; its image stays: {url}"
    session.console.print(words)
    return 0
