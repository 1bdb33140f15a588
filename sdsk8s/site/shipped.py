"""The shipped versions of what may lie in a site's `files` folder, and the record of which one a site's file came from.

Shipped are: what stands in `files/` of a component's catalogue folder (default files, copied by `configure`), a
template of the rule `catalogue` in that folder itself, and one of the rule `user-then-source` in the source tree.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sdsk8s import __version__
from sdsk8s.errors import ConfigError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component, ConfigFile
from sdsk8s.model.site import Site
from sdsk8s.site.data import folder

SAMPLE = "cluster.py.sample"


@dataclass(frozen=True)
class Shipped:
    """name: in the site's `files` folder; origins: where versions are shipped; needed: no verb works without it."""

    name: str
    origins: tuple[Path, ...]
    needed: bool = False

    def texts(self) -> list[bytes]:
        """The different contents; more than one when components have each their own under this name."""
        try:
            return list(dict.fromkeys(p.read_bytes() for p in self.origins))
        except OSError as err:
            raise ConfigError(
                "a shipped file cannot be read", target=str(err.filename), words=str(err.strerror)
            ) from None

    def identity(self) -> bytes:
        """What is recorded as the version that a site's file came from."""
        return b"\0".join(self.texts())


def shipped_files(site: Site, catalogue: Catalogue) -> list[Shipped]:
    """In the order of their names."""
    origins: dict[str, list[Path]] = {}
    needed = set()
    for component in catalogue.ordered():
        for path in _defaults(component):
            origins.setdefault(path.name, []).append(path)
        for entry in component.config:
            if entry.rule == "user" and not entry.optional:
                needed.add(entry.template)
            for path in _replaced(site, component, entry):
                if path not in origins.setdefault(entry.template, []):
                    origins[entry.template].append(path)
    return [Shipped(name, tuple(paths), name in needed) for name, paths in sorted(origins.items())]


def unread(catalogue: Catalogue) -> set[str]:
    """Names that are only looked for in the source tree: a file of that name in the site's folder is read by nobody."""
    entries = [e for c in catalogue.ordered() for e in c.config]
    return {e.template for e in entries if e.rule == "source"} - {e.template for e in entries if e.rule != "source"}


def _defaults(component: Component) -> Iterator[Path]:
    seen = set()
    for root in component.folders:
        for path in sorted((Path(root) / "files").glob("*")):
            if path.is_file() and path.name not in seen:
                seen.add(path.name)
                yield path


def _replaced(site: Site, component: Component, entry: ConfigFile) -> Iterator[Path]:
    """The file that the site's own one takes the place of."""
    if entry.rule == "catalogue":
        candidates = [Path(root) / entry.template for root in component.folders]
    elif entry.rule == "user-then-source" and site.source:
        candidates = [Path(site.source) / (entry.source or entry.template)]
    else:
        return
    yield from [p for p in candidates if p.is_file()][:1]


class Record:
    """`SDS_HOME/shipped/`: index.json {file: {sha256, version}} and one copy per content, named by its hash."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "shipped"
        self._index = self.folder / "index.json"
        self.files: dict[str, dict[str, str]] = {}
        if self._index.exists():
            try:
                self.files = dict(json.loads(self._index.read_text())["files"])
            except (OSError, ValueError, KeyError, TypeError) as err:
                raise ConfigError(
                    "the record of shipped files cannot be read", target=str(self._index),
                    words=f"{type(err).__name__}: {err}", next=f"rm {self._index}: the versions are then unknown",
                ) from None  # fmt: skip

    def base(self, name: str) -> bytes | None:
        """The shipped version that the site's file came from; None when it is not known, or its copy is damaged."""
        digest = self.files.get(name, {}).get("sha256", "")
        try:
            data = (self.folder / digest).read_bytes() if digest else None
        except OSError:
            return None
        return data if data is not None and hashlib.sha256(data).hexdigest() == digest else None

    def note(self, bases: Mapping[str, bytes]) -> None:
        """Copies first, then the index in one step: a record that was cut short is the one before."""
        if not bases:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, data in bases.items():
            digest = hashlib.sha256(data).hexdigest()
            write_private(self.folder / digest, data)
            self.files[name] = {"sha256": digest, "version": __version__}
        text = json.dumps({"version": 1, "files": dict(sorted(self.files.items()))}, indent=1)
        write_private(self._index, text.encode())
        kept = {entry["sha256"] for entry in self.files.values()} | {self._index.name}
        for path in self.folder.iterdir():
            if path.name not in kept and len(path.name) == 64:
                path.unlink(missing_ok=True)


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Written beside and moved into place."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
    new.chmod(mode)
    new.replace(path)


def bring_defaults(home: Path, shipped: Iterable[Shipped]) -> list[str]:
    """Default files and a sample cluster.py, where the site has none; nothing is overwritten. Returns what was written.

    Only what verbs need is brought: a copy of any other template would hide the next shipped version of it.
    """
    files = home / "files"
    files.mkdir(parents=True, exist_ok=True, mode=0o700)
    written: dict[str, bytes] = {}
    for entry in shipped:
        if entry.needed and _new(files / entry.name, entry.texts()[0]):
            written[entry.name] = entry.texts()[0]
    Record(home).note(written)
    out = [f"{files}: {len(written)} default files: {', '.join(written)}"] if written else []
    if _new(home / "cluster.py", (folder("manifests") / SAMPLE).read_bytes()):
        out.append(f"{home / 'cluster.py'}: a sample; sds fab -l")
    return out


def _new(path: Path, data: bytes) -> bool:
    """False when something of that name is there, a broken link included."""
    if os.path.lexists(path):
        return False
    write_private(path, data)
    return True
