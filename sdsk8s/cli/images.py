"""Images of a site: their names (from content), whether the registry has them, and building what is missing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sdsk8s.errors import ConfigError, ImageError
from sdsk8s.files.data import folder
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.image import ImageSpec
from sdsk8s.model.site import Site
from sdsk8s.render.images import content_tag, image_ref

if TYPE_CHECKING:
    from sdsk8s.backends.docker.engine import Engine
    from sdsk8s.backends.docker.workshop import Workshop
    from sdsk8s.backends.registry import Registry

BASE = "base"


@dataclass(frozen=True)
class Built:
    """digest: what manifests get. fact: one line for the table."""

    digest: str
    fact: str


class Images:
    """Every image of the site by its logical name. Reads the source tree when names are asked for."""

    def __init__(self, site: Site, catalogue: Catalogue) -> None:
        self._site = site
        self._specs: dict[str, ImageSpec] = {
            name: spec.replaced_by(site.images[name]) if name in site.images else spec
            for c in catalogue.ordered()
            for name, spec in c.images.items()
        }
        self._base_lock = threading.Lock()

    @cached_property
    def engine(self) -> Engine:
        from sdsk8s.backends.docker.engine import Engine

        return Engine(self._site.engine)

    @cached_property
    def registry(self) -> Registry:
        from sdsk8s.backends.registry import Registry

        return Registry()

    @cached_property
    def workshop(self) -> Workshop:
        from sdsk8s.backends.docker.workshop import Workshop

        source = Path(self._site.source).expanduser() if self._site.source else None
        return Workshop(folder("dockerfiles"), source)

    # -- names -------------------------------------------------------------------------------------------------

    def refs(self, specs: Iterable[str]) -> dict[str, str]:
        """{logical image: reference}: the site's own where it names one, else named after the content."""
        return {name: self._specs[name].external or self._ref(self._specs[name]) for name in specs}

    def built_here(self, name: str) -> bool:
        """False when a finished image of somebody else is used."""
        return self._specs[name].external is None

    def foreign_digest(self, ref: str) -> str | None:
        """Digest of a finished image, or None where its registry cannot be asked from here: the nodes will."""
        if "@sha256:" in ref:
            return None
        try:
            return self.registry.digest(ref)
        except ImageError:
            return None

    def digests(self, refs: list[str]) -> dict[str, str | None]:
        """{reference: digest, or None when the registry does not have it}."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            return dict(zip(refs, pool.map(self.registry.digest, refs), strict=True))

    @cached_property
    def base_ref(self) -> str:
        """The base that every image is built from: named after its recipe and what that starts from."""
        tag = content_tag(self._base_spec, "", self.workshop.inputs(self._base_spec))
        return image_ref(self._registry_host(), self._site.name, BASE, tag)

    @property
    def _base_spec(self) -> ImageSpec:
        given = self._site.images.get(BASE)
        return ImageSpec(BASE, BASE, args={"FROM_IMAGE": given} if given else {})

    def _ref(self, spec: ImageSpec) -> str:
        base_tag = self.base_ref.rpartition(":")[2]
        tag = content_tag(spec, base_tag, self.workshop.inputs(spec), self.workshop.args(spec))
        return image_ref(self._registry_host(), self._site.name, spec.name, tag)

    def _registry_host(self) -> str:
        if not self._site.registry:
            raise ConfigError(
                "no registry is set",
                target=f"{self._site.home}/site.yaml",
                next="set `registry: host:port` to one that both this host and the cluster's nodes reach",
            )
        return self._site.registry

    # -- building ----------------------------------------------------------------------------------------------

    def build(self, image: str, ref: str, say: Callable[[str], None], logs: Path) -> Built:
        """Build and push one image, unless the registry has it by now; the base comes first."""
        found = self.registry.digest(ref)
        if found:
            return Built(found, "the registry has it")
        with self._base_lock:
            if not self.engine.has(self.base_ref):
                self._make(self._base_spec, self.base_ref, None, say, logs)
        return self._make(self._specs[image], ref, self.base_ref, say, logs)

    def _make(self, spec: ImageSpec, ref: str, parent: str | None, say: Callable[[str], None], logs: Path) -> Built:
        log = logs / f"build-{spec.name}.log"
        built = self.workshop.build(self.engine, spec, ref, parent=parent, log=log, on_line=say)
        digest = self.engine.push(ref, say)
        return Built(digest, f"{self.workshop.size_words(spec, built.size_bytes)}, {built.seconds:.0f} s")
