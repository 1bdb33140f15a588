"""Bundles of a site's queues: what is in them, and packing, uploading and pushing them."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage

from sdsk8s.backends.docker.context import package_folders, walk
from sdsk8s.backends.steps import Handlers, RunFacts, Say
from sdsk8s.errors import ConfigError, StepError
from sdsk8s.model.bundle import Archive, BundledFile, archive, bundle_name
from sdsk8s.model.component import Component
from sdsk8s.model.site import Site
from sdsk8s.planner.steps import Pack, Push, Upload
from sdsk8s.render.bundles import render_file
from sdsk8s.site.archive import pack
from sdsk8s.site.templates import bundle_text

if TYPE_CHECKING:
    from sdsk8s.backends.aws.bundles import BundleStore
    from sdsk8s.backends.registry import Registry

KIND = "application/vnd.sds.bundle.v1"
LAYER = f"{KIND}.tar+bzip2"
FOLDER = "code_configs"
"""Folder of the site that holds packed bundles, named as the legacy tool's."""
KEY_FILE = "bundle.key"


class Bundles:
    """Archives are planned first (their ids need no packing); the steps of a run then do the work."""

    def __init__(self, site: Site, registry: Registry) -> None:
        self._site, self._registry = site, registry
        self._known: dict[str, Archive] = {}
        self._sums: dict[str, str] = {}
        self._tree: dict[tuple[str, ...], list[BundledFile]] = {}
        self._stores: dict[str, BundleStore] = {}
        self._lock = threading.Lock()

    # -- planning ----------------------------------------------------------------------------------------------

    def archives(self, component: Component, queue: str) -> tuple[Archive, Archive]:
        """(for virtual machines: everything; for pods: without secrets) of one queue. Reads tree and templates."""
        spec = component.bundle
        if spec is None:
            raise ConfigError(f"{component.name} declares no bundle", target=component.name)
        entries = list(self._packages(spec.packages))
        for file in spec.files:
            if file.when and not self._site.config.get(file.when):
                continue
            text = bundle_text(self._site, component, file)
            if text is not None:
                content = render_file(self._site, file, text, queue)
                entries.append(BundledFile.of(file.path, content, file.mode, secret=file.secret))
        name = bundle_name(queue, str(self._site.config.get("VENUE") or "ops"))
        whole = archive(queue, f"{name}.tbz2", entries)
        code = archive(queue, f"pods/{name}.tbz2", [e for e in entries if not e.secret])
        self._known |= {whole.file: whole, code.file: code}
        return whole, code

    def forget(self) -> None:
        """Read the tree again at the next look."""
        self._tree.clear()

    def _packages(self, packages: tuple[str, ...]) -> list[BundledFile]:
        if packages not in self._tree:
            folders = package_folders(Path(self._site.source).expanduser(), packages)
            self._tree[packages] = [
                _entry(f"{package}/{relative}", path)
                for package, folder in folders.items()
                for relative, path in walk(folder)
            ]
        return self._tree[packages]

    def store(self, bucket: str) -> BundleStore:
        from sdsk8s.backends.aws.bundles import BundleStore

        with self._lock:
            return self._stores.setdefault(bucket, BundleStore(self._site, bucket))

    def stored(self, bucket: str, key: str, wanted: Archive, encrypt: bool) -> bool:
        """True when the bucket has this content, its sha256 beside it, and is encrypted if that is requested."""
        found = self.store(bucket).stored(key)
        return bool(found and found.content == wanted.id and found.sum_beside and (not encrypt or found.encryption))

    def digests(self, refs: Iterable[str]) -> dict[str, str | None]:
        return {ref: self._registry.digest(ref) for ref in refs}

    # -- the key of encrypted bundles --------------------------------------------------------------------------

    @cached_property
    def identity(self) -> Any:
        """The site's age key, SDS_HOME/bundle.key, mode 0600. When there is none: a new one, which a push keeps."""
        path = Path(self._site.home) / KEY_FILE
        if not path.exists():
            return pyrage.x25519.Identity.generate()
        if path.stat().st_mode & 0o077:
            raise ConfigError("other users can read this key", target=str(path), next=f"chmod 600 {path}")
        try:
            return pyrage.x25519.Identity.from_str(path.read_text().strip())
        except pyrage.IdentityError as err:
            raise ConfigError("this is not an age key", target=str(path), words=str(err)) from None

    def _keep_key(self) -> None:
        path = Path(self._site.home) / KEY_FILE
        with self._lock:
            if not path.exists():
                part = path.with_name(f"{KEY_FILE}.new-{os.getpid()}")
                with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
                    file.write(f"{self.identity}\n")
                part.replace(path)
            elif path.read_text().strip() != str(self.identity):
                raise StepError("the key changed since the plan was made", target=str(path), next="ship again")

    def fingerprint(self) -> str:
        """Six digits that tell one key from another."""
        return hashlib.sha256(str(self.identity.to_public()).encode()).hexdigest()[:6]

    # -- doing -------------------------------------------------------------------------------------------------

    def pack(self, file: str, content: str) -> str:
        known = self._known.get(file)
        if known is None or known.id != content:
            raise StepError("the bundle changed since the plan was made", target=file, next="ship again")
        sha256, size = pack(known, self._place(file))
        self._sums[file] = sha256
        return f"{size} bytes, sha256 {sha256[:12]}"

    def upload(self, file: str, bucket: str, key: str, encrypt: bool, say: Say) -> str:
        content, sha256 = self._known[file].id, self._sums[file]
        return self.store(bucket).put(self._place(file), key, content, sha256, encrypt=encrypt, say=say)

    def push(self, file: str, ref: str, encrypt: bool) -> str:
        known, place, layer = self._known[file], self._place(file), LAYER
        notes = {"org.opencontainers.image.title": place.name, "sdsk8s.queue": known.queue, "sdsk8s.content": known.id}
        if encrypt:
            self._keep_key()
            sealed = place.with_name(place.name + ".age")
            with place.open("rb") as plain, sealed.open("wb") as target:
                pyrage.encrypt_io(plain, target, [self.identity.to_public()])
            place, layer = sealed, f"{LAYER}+age"
        return self._registry.put_artifact(ref, place, KIND, layer, notes)

    def _place(self, file: str) -> Path:
        return Path(self._site.home) / FOLDER / file


def _entry(path: str, file: Path) -> BundledFile:
    seen, size = hashlib.sha256(), 0
    with file.open("rb") as content:
        while block := content.read(1 << 20):
            seen.update(block)
            size += len(block)
    return BundledFile(path, 0o755 if file.stat().st_mode & 0o100 else 0o644, size, seen.hexdigest(), str(file))


def handlers(bundles: Bundles, run: RunFacts) -> Handlers:
    """{step type: handler}. A push adds its digest to those of the run."""

    def push(step: Push, say: Say) -> str:
        digest = bundles.push(step.file, step.ref, step.encrypt)
        run.digests.add(step.ref, digest)
        return digest[:19]

    return {
        Pack: lambda step, say: bundles.pack(step.file, step.content),
        Upload: lambda step, say: bundles.upload(step.file, step.bucket, step.key, step.encrypt, say),
        Push: push,
    }
