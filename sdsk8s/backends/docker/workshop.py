"""From an ImageSpec to an image in the engine: finds the files, passes the host's settings, checks the budget."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sdsk8s.backends.docker import context, kinds
from sdsk8s.backends.docker.hostnet import HostNet, detect
from sdsk8s.errors import ConfigError
from sdsk8s.model.image import ImageSpec

if TYPE_CHECKING:
    from sdsk8s.backends.docker.engine import BuiltImage, Engine

LABEL_PREFIX = "org.opencontainers.image."


class Workshop:
    """dockerfiles: the shipped folder; source: the site's tree of packages. It writes nothing but the build log."""

    def __init__(self, dockerfiles: Path, source: Path | None, net: HostNet | None = None) -> None:
        self.dockerfiles = dockerfiles
        self._source = source
        self._net = net

    @cached_property
    def net(self) -> HostNet:
        return self._net if self._net is not None else detect(os.environ)

    @cached_property
    def budgets(self) -> kinds.Budgets:
        return kinds.load_budgets(self.dockerfiles)

    def inputs(self, spec: ImageSpec) -> dict[str, str]:
        """{path: sha256} of every file that goes into the image: the `files` of a content tag."""
        kind = kinds.load_kind(self.dockerfiles, spec.dockerfile)
        recipe = context.digests(context.recipe_files(self.dockerfiles, kind))
        trees = context.digests(self._packages(spec))
        return {**recipe, **{f"packages/{name}": digest for name, digest in trees.items()}}

    def args(self, spec: ImageSpec) -> dict[str, str]:
        """Build arguments of the image: its kind's, then its own."""
        return {**kinds.load_kind(self.dockerfiles, spec.dockerfile).args, **spec.args}

    def build(
        self,
        engine: Engine,
        spec: ImageSpec,
        ref: str,
        *,
        parent: str | None,
        log: Path,
        on_line: Callable[[str], None],
        labels: Mapping[str, str] | None = None,
    ) -> BuiltImage:
        """Build the image as `ref` from `parent` (None: the kind's default), within its budget, or ImageError."""
        from sdsk8s.backends.docker.engine import BuildRequest

        kind = kinds.load_kind(self.dockerfiles, spec.dockerfile)
        recipe = context.recipe_files(self.dockerfiles, kind)
        args = {**self.args(spec), **({kind.parent: parent} if parent else {}), **self.net.proxies}
        with context.make_context(recipe, self._packages(spec), spec.links, self.net.files) as tar:
            request = BuildRequest(
                name=spec.name,
                ref=ref,
                context=tar,
                dockerfile=recipe["Dockerfile"].read_text(),
                log=log,
                target=kind.target,
                args=args,
                labels=oci_labels(spec, ref, labels or {}),
            )
            built = engine.build(request, on_line)
        self.budgets.check(spec.name, kind.name, built.size_bytes)
        return built

    def size_words(self, spec: ImageSpec, size: int) -> str:
        """The measured size beside its budget and the sizes before."""
        return self.budgets.words(spec.name, spec.dockerfile, size)

    def _packages(self, spec: ImageSpec) -> dict[str, Path]:
        if not spec.packages:
            return {}
        if self._source is None:
            raise ConfigError(
                f"image {spec.name} is built from source, and the site names none", next="set `source` in site.yaml"
            )
        return context.source_files(self._source, spec.packages)


def oci_labels(spec: ImageSpec, ref: str, more: Mapping[str, str]) -> dict[str, str]:
    """OCI labels: title, version (the content tag), what it was made from; `more` (revision, source) wins."""
    labels = {
        f"{LABEL_PREFIX}title": spec.name,
        f"{LABEL_PREFIX}version": ref.rpartition(":")[2],
        f"{LABEL_PREFIX}revision": ref.rpartition(":")[2],
        "sdsk8s.dockerfile": spec.dockerfile,
        "sdsk8s.packages": " ".join(spec.packages),
    }
    return {**labels, **more}
