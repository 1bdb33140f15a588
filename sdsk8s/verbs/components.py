"""`components`: lists the catalogue; `components new`: writes the folder of a new component."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sdsk8s.console.console import Console
from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.image import ImageSpec
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.site import Site
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.new_component import write_component

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
"""A name that a Service, a Deployment and its pods can have."""


@dataclass(frozen=True)
class New:
    """What `components new` is asked for.

    name   name of the component, its Service, Deployment and image
    home   site folder, or None for SDS_HOME or ~/.sds
    into   catalogue folder that gets the component; None: the site's first one, else `manifests` of the site folder
    image  reference of a finished image; "" for an image that the component builds itself
    port   port that the service listens on
    """

    name: str
    home: str | None = None
    into: Path | None = None
    image: str = ""
    port: int = 8080


@dataclass(frozen=True)
class Made:
    """files: names below `folder`. edit: sentences about what to edit next. commands: what to type then."""

    folder: Path
    files: tuple[str, ...]
    edit: tuple[str, ...]
    commands: tuple[str, ...]


def show(home: str | None, console: Console, *, as_json: bool) -> int:
    """Print the catalogue; returns the exit code."""
    rows = catalogue_rows(home)
    if as_json:
        console.print_json({"version": 1, "components": rows})
        return 0
    lists = ("workloads", "needs", "aliases")
    table = [(r["name"], r["where"], *(" ".join(r[key]) for key in lists), r["title"]) for r in rows]
    console.print_table([("NAME", "WHERE", "WORKLOADS", "NEEDS", "ALIASES", "TITLE"), *table])
    return 0


def run_new(request: New, console: Console, *, as_json: bool) -> int:
    """Write the skeleton and say what to do next; returns the exit code. Errors: those of new()."""
    made = new(request)
    if as_json:
        console.print_json({"version": 1, **asdict(made), "folder": str(made.folder)})
        return 0
    console.print(f"wrote {made.folder}")
    for title, entries in (("", made.files), ("edit next:", made.edit), ("then:", made.commands)):
        if title:
            console.print()
            console.print(title)
        for entry in entries:
            console.print(f"  {entry}")
    return 0


def catalogue_rows(home: str | None) -> list[dict[str, Any]]:
    """One mapping per component, stores last; without a site those of the shipped catalogue."""
    site, catalogue = _site_and_catalogue(home)
    return [_row(c, site, catalogue) for c in catalogue.ordered()]


def new(request: New) -> Made:
    """Write the skeleton of a component.

    Raises UsageError for a name that Kubernetes would refuse, ConfigError for a moving image tag, RefusedError for
    a name that the catalogue has already and for a folder that exists.
    """
    if not NAME.fullmatch(request.name):
        raise UsageError(
            f'invalid component name "{request.name}": expected at most 40 lower-case letters, digits and "-", '
            "a letter first",
            next="sdsk8s components new my-service",
        )
    if request.image:
        ImageSpec.from_dict(request.name, {"external": request.image})
    site, catalogue = _site_and_catalogue(request.home)
    taken = {word: c.name for c in catalogue.ordered() for word in _words(c)}
    if request.name == "all" or request.name in taken:
        raise RefusedError(
            f'the name "{request.name}" is taken',
            target=catalogue.get(taken[request.name]).folder if request.name in taken else "every component",
            next=_instead(request.name, taken),
        )
    root = (request.into or _default_root(site, request.home)).expanduser()
    folder = root / request.name
    source = f"external: {request.image}" if request.image else "dockerfile: ./image"
    values = {"NAME": request.name, "IMAGE": f"{request.name}: {{{source}}}", "PORT": str(request.port)}
    files = write_component(folder, values, with_image=not request.image)
    return Made(folder, tuple(files), tuple(_edit(request, site, root)), tuple(_commands(request.name, folder)))


def _site_and_catalogue(home: str | None) -> tuple[Site | None, Catalogue]:
    """Without a site the shipped catalogue, since errors send people here."""
    folder = home_folder(home)
    if not (folder / "config").exists():
        return None, load_catalogue()
    site = load_site(folder)
    return site, load_catalogue(site.manifests)


def _words(c: Component) -> set[str]:
    """Names that the component has already: of itself, its images and its objects."""
    return {c.name, *c.aliases, *c.roles, *c.images, *(kube.name(m) for m in c.manifests)}


def _instead(name: str, taken: dict[str, str]) -> str:
    if name not in taken:
        return f"choose another name, such as my-{name}"
    return f"choose another name, or change {taken[name]} with a folder that says `extends: true`"


def _default_root(site: Site | None, home: str | None) -> Path:
    return Path(site.manifests[0]) if site and site.manifests else home_folder(home) / "manifests"


def _edit(request: New, site: Site | None, root: Path) -> list[str]:
    lines = []
    listed = {Path(p).resolve() for p in site.manifests} if site else set()
    if root.resolve() not in listed:
        lines.append(f"site.yaml: list the folder, so that verbs find it: `manifests: [{_shown(root, request.home)}]`")
    lines.append("component.yaml: title, needs, verbs")
    program = "command, " if request.image else ""
    lines.append(f"{request.name}.yaml: {program}replicas, resources, the path of the probes")
    lines.append(f"{request.name}.conf: settings of the service; keys of the site's config are variables")
    if not request.image:
        lines.append("image/: replace serve.py with your program")
    return lines


def _shown(root: Path, home: str | None) -> str:
    """The folder as site.yaml may name it: relative to the site folder where it lies inside."""
    site = home_folder(home).resolve()
    return str(root.resolve().relative_to(site)) if root.resolve().is_relative_to(site) else str(root.resolve())


def _commands(name: str, folder: Path) -> list[str]:
    return [f"sdsk8s lint {folder}", f"sdsk8s update {name}", f"sdsk8s start {name}", f"sdsk8s status {name}"]


def _row(c: Component, site: Site | None, catalogue: Catalogue) -> dict[str, Any]:
    where = site.where(c.name) if site else "kubernetes"
    names = sorted(kube.name(m) for m in c.manifests if m["kind"] in WORKLOADS)
    return {
        "name": c.name,
        "title": c.title,
        "where": "none" if c.stub else where,
        "store": c.store,
        "workloads": [f"{n}-QUEUE" if n == c.per_queue else n for n in names],
        "needs": list(c.needs),
        "stores": [s.name for s in catalogue.stores_of([c])],
        "aliases": list(c.aliases),
        "verbs": list(c.verbs),
    }
