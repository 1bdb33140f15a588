"""Images of a site: their names (from content), whether the registry has them, and building what is missing."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sdsk8s.backends.docker.build_lock import one_at_a_time
from sdsk8s.backends.docker.builder import Workshop, oci_labels
from sdsk8s.backends.docker.kept_dependencies import below_overrides, compose, lower_layers
from sdsk8s.backends.docker.recipe import Built, Recipe, Say
from sdsk8s.errors import ConfigError, ImageError
from sdsk8s.model import text
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.image import SITE_LABEL, ImageSpec, untagged
from sdsk8s.model.names import unknown
from sdsk8s.model.site import Site
from sdsk8s.render.images import content_tag, image_ref
from sdsk8s.site.data import folder
from sdsk8s.site.image_lock import lock, read_lock
from sdsk8s.site.overrides import load_overrides

logger = logging.getLogger("sdsk8s.docker")

if TYPE_CHECKING:
    from sdsk8s.backends.docker.engine import Engine
    from sdsk8s.backends.registry import Registry

BASE = "base"
FROM_IMAGE = "FROM_IMAGE"
"""Build argument of the base: what it is FROM itself."""
SITE_LAYER = "site"
"""Folder of dockerfiles/ that lays a site's overrides over a finished image."""


class Images:
    """Every image of the site by its logical name. Reads the source tree when names are asked for.

    args  build arguments beside those of `build_args` in site.yaml, by image name, `base` or `all`; they win
    pull  the base starts from what its tag means now, not from what `images.lock` remembers
    """

    def __init__(
        self,
        site: Site,
        catalogue: Catalogue,
        args: Mapping[str, Mapping[str, str]] | None = None,
        *,
        pull: bool = False,
    ) -> None:
        self._site = site
        self._pull = pull
        self._lock = Path(site.home) / "images.lock"
        shipped = {name: spec for c in catalogue.ordered() for name, spec in c.images.items()}
        self._names = [BASE, *shipped]
        self._check_names("images", site.images, self._names)
        self._given = [site.build_args, args or {}]
        for group in self._given:
            self._check_names("build_args", group, [*self._names, "all"])
        self._specs: dict[str, ImageSpec] = {
            name: self._with_args(spec.replaced_by(site.images[name]) if name in site.images else spec)
            for name, spec in shipped.items()
        }
        self._check_all()
        self._overrides = load_overrides(Path(site.home))
        self._check_names("overrides.yaml", self._overrides, list(shipped))
        self._recipes: dict[str, Recipe] = {}
        self._unlocked: tuple[str, str] | None = None

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
        source = Path(self._site.source).expanduser() if self._site.source else None
        return Workshop(folder("dockerfiles"), source)

    # -- names -------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """Every logical image, the base first."""
        return list(self._names)

    def spec(self, name: str) -> ImageSpec:
        """What an image is made of. ConfigError with the nearest name when there is none."""
        if name == BASE:
            return self._base_spec
        self._check_names("images", [name], self._names)
        return self._specs[name]

    def refs(
        self, specs: Iterable[str], kept: Mapping[str, str] | None = None, layer: str = SITE_LAYER
    ) -> dict[str, str]:
        """{logical image: reference}: the site's own where it names one, else named after the content.

        kept   {logical image: reference with digest that runs}: its dependency layer is to stay as it is
        layer  `base` leaves the site's overrides out
        """
        return {name: self._ref(name, (kept or {}).get(name, ""), layer) for name in specs}

    @property
    def named(self) -> list[str]:
        """References that refs() has given so far, with those that they are built from."""
        return list(self._recipes)

    def repository(self, name: str) -> str:
        """`HOST/SITE/IMAGE`: where images of that name are kept."""
        return untagged(self._name(name, "0"))

    def trees(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """{image: {path of a source file, package first: 12 hex digits}} of images that are made of packages."""
        found = {}
        for name in names:
            spec = self._specs[name]
            if spec.external is None and spec.packages:
                inputs = self.workshop.inputs(spec).items()
                found[name] = {
                    path.removeprefix("packages/"): digest[:12] + digest[64:]
                    for path, digest in inputs
                    if path.startswith("packages/")
                }
        return found

    def built_here(self, name: str) -> bool:
        """False when a finished image from elsewhere is used."""
        return self._specs[name].external is None or name in self._overrides

    def built_here_or_base(self, name: str) -> bool:
        """True for what `images build` makes when nothing is named."""
        return name == BASE or self.built_here(name)

    def foreign_digest(self, ref: str) -> str | None:
        """Digest of a finished image, or None where its registry cannot be reached from here; the nodes will ask it."""
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
        spec = self._base_spec
        given = self.workshop.argument(spec, FROM_IMAGE)
        spec = dataclasses.replace(spec, args={**spec.args, FROM_IMAGE: self._pinned(given)})
        inputs = self.workshop.inputs(spec)
        ref = self._name(BASE, content_tag(spec, "", inputs, self.workshop.args(spec)))
        self._recipes[ref] = Recipe(spec, "", inputs)
        return ref

    def _pinned(self, reference: str) -> str:
        """The reference with the digest that it was first built from, or has now."""
        if "@" in reference:
            return reference
        digest = None if self._pull else read_lock(self._lock).get(reference)
        if digest is None:
            digest = self.registry.digest(reference) if self._pull else self.foreign_digest(reference)
            if self._pull and not digest:
                raise ImageError("its registry does not have the image", target=reference)
            self._unlocked = (reference, digest or "")
            if digest and not self._pull:
                with suppress(OSError):  # a site folder that only others may write to
                    self.keep_lock()
        return f"{reference}@{digest}" if digest else reference

    def keep_lock(self) -> None:
        """Remember in `images.lock` what the base was built from."""
        if self._unlocked:
            lock(self._lock, *self._unlocked)
            self._unlocked = None

    @cached_property
    def _base_spec(self) -> ImageSpec:
        given = self._site.images.get(BASE)
        return self._with_args(ImageSpec(BASE, BASE, args={"FROM_IMAGE": given} if given else {}))

    def _ref(self, name: str, kept: str, layer: str) -> str:
        if name == BASE:
            return self.base_ref
        spec = self._specs[name]
        if spec.external:
            ref = spec.external
        else:
            inputs, args = self.workshop.inputs(spec), self.workshop.args(spec)
            ref = self._name(name, content_tag(spec, self.base_ref.rpartition(":")[2], inputs, args))
            self._recipes[ref] = Recipe(spec, self.base_ref, inputs)
            if kept and spec.packages:
                ref = self._keeping(ref, spec, kept, inputs, args)
        if name not in self._overrides or layer == BASE:
            return ref
        above = self._site_spec(name)
        inputs = self.workshop.inputs(above)
        site_ref = self._name(name, content_tag(above, ref, inputs))
        self._recipes[site_ref] = Recipe(above, ref, inputs)
        return site_ref

    def _keeping(
        self, plain: str, spec: ImageSpec, kept: str, inputs: Mapping[str, str], args: Mapping[str, str]
    ) -> str:
        """The reference with the running image's dependency layer: the plain one when that has it anyway."""
        kept = below_overrides(self.registry, kept)
        layers = lower_layers(self.registry, kept)
        if self.registry.digest(plain) and lower_layers(self.registry, plain) == layers:
            return plain
        ref = self._name(spec.name, content_tag(spec, layers, inputs, args))
        self._recipes[ref] = Recipe(spec, self.base_ref, inputs, kept)
        return ref

    def _site_spec(self, name: str) -> ImageSpec:
        overrides = self._overrides[name]
        overlay = {o.target: str(Path(self._site.home) / o.source) for o in overrides.files}
        return ImageSpec(name, SITE_LAYER, overlay=overlay, env=overrides.env)

    def _name(self, name: str, tag: str) -> str:
        if not self._site.registry:
            raise ConfigError(
                "no registry is set",
                target=f"{self._site.home}/site.yaml",
                next="set `registry: host:port` to one that both this host and the cluster's nodes reach",
            )
        return image_ref(self._site.registry, self._site.name, name, tag)

    # -- build arguments ---------------------------------------------------------------------------------------

    def _with_args(self, spec: ImageSpec) -> ImageSpec:
        """The spec with the site's arguments. Those of `all` go where the Dockerfile declares them."""
        more: dict[str, str] = {}
        for group in self._given:
            general = group.get("all") or {}
            if general and spec.external is None:
                declared = self.workshop.arguments(spec)
                more |= {k: v for k, v in general.items() if k in declared}
            more |= group.get(spec.name) or {}
        if more and spec.external is not None:
            raise ConfigError(
                f"image {spec.name} is not built here, so it takes no build arguments", target=str(spec.external)
            )
        return dataclasses.replace(spec, args={**spec.args, **more}) if more else spec

    def _check_all(self) -> None:
        for group in self._given:
            for name in group.get("all") or {}:
                specs = [self._base_spec, *(s for s in self._specs.values() if s.external is None)]
                known = {a for s in specs for a in self.workshop.arguments(s)}
                if name not in known:
                    raise ConfigError(f"no image has a build argument {name}", words=unknown(name, known))
        for image in {image for group in self._given for image in group if image != "all"}:
            self.workshop.args(self.spec(image))

    def _check_names(self, what: str, given: Iterable[str], known: list[str]) -> None:
        for name in given:
            if name not in known:
                raise ConfigError(
                    f'{what}: unknown image "{name}"',
                    target=f"{self._site.home}/site.yaml",
                    words=unknown(name, known),
                )

    # -- building ----------------------------------------------------------------------------------------------

    def build(self, image: str, ref: str, say: Say, logs: Path, *, push: bool = True) -> Built:
        """Build and push one image, unless the registry has it by now; what it is FROM comes first.

        push False: the engine has it afterwards; the digest is then "".
        """
        with one_at_a_time(ref, say):
            found = self.registry.digest(ref)
            logger.debug("%s: in the registry: %s", ref, found or "no")
            if found:
                return Built(found, "already in the registry")
            recipe = self._recipes[ref]
            if recipe.kept:
                return compose(self, image, ref, recipe, say, logs)
            if self.engine.has(ref):
                fact = "already in the engine"
            else:
                fact = self.make(recipe, ref, say, logs)
            return Built(self.engine.push(ref, say) if push else "", fact)

    def make(self, recipe: Recipe, ref: str, say: Say, logs: Path) -> str:
        """Build in the engine, whatever it has; words about size and time."""
        parent = self._parent(recipe, say, logs)
        labels = {**self._site_labels(), **({"org.opencontainers.image.base.name": parent} if parent else {})}
        log = logs / f"build-{recipe.spec.name}.log"
        built = self.workshop.build(
            self.engine, recipe.spec, ref, parent=parent, log=log, on_line=say, labels=labels, inputs=recipe.inputs
        )
        if ref == self.base_ref:
            self.keep_lock()
        return f"{self.workshop.size_words(recipe.spec, built.size_bytes)}, {built.seconds:.0f} s"

    def make_code_layer(self, recipe: Recipe, ref: str, say: Say, logs: Path) -> str:
        """Build an image of the code layer alone; words about the time."""
        self._ensure_base(say, logs)
        log = logs / f"build-{recipe.spec.name}-code.log"
        built = self.workshop.build(
            self.engine, recipe.spec, ref, parent=self.base_ref, log=log, on_line=say, labels=self._site_labels(),
            inputs=recipe.inputs, code_only=True,
        )  # fmt: skip
        return f"code {text.size(built.size_bytes)}, {built.seconds:.0f} s"

    def labels_of(self, recipe: Recipe, ref: str) -> dict[str, str]:
        """Labels of an image that is put together without the engine."""
        labels = {**self._site_labels(), "sdsk8s.dependencies": recipe.kept}
        return oci_labels(recipe.spec, ref, self.workshop.revisions(recipe.spec), labels)

    def _site_labels(self) -> dict[str, str]:
        return {SITE_LABEL: self._site.name}

    def _parent(self, recipe: Recipe, say: Say, logs: Path) -> str | None:
        """What the Dockerfile's FROM is to name, present in the engine."""
        below = recipe.below
        if not below:
            return None
        if recipe.spec.dockerfile != SITE_LAYER:
            self._ensure_base(say, logs)
            return below
        if below in self._recipes:
            self.build(recipe.spec.name, below, say, logs)
        name = untagged(below)
        digest = below.partition("@")[2] or self.registry.digest(below)
        if digest is None:
            raise ImageError(
                "the image below the overrides is not in its registry", target=below, next="sdsk8s images push"
            )
        return f"{name}@{digest}"

    def _ensure_base(self, say: Say, logs: Path) -> None:
        with one_at_a_time(self.base_ref, say):
            if self.engine.has(self.base_ref):
                return
            if self.registry.digest(self.base_ref):
                self.engine.pull(self.base_ref, say)
                return
            self.make(self._recipes[self.base_ref], self.base_ref, say, logs)
            self.engine.push(self.base_ref, say)
