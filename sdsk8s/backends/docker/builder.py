"""From an ImageSpec to an image in the engine: finds the files, passes the host's settings, checks the budget."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.docker import context, kinds
from sdsk8s.backends.docker.host_settings import HostNet, detect
from sdsk8s.backends.docker.provenance import revision
from sdsk8s.backends.docker.recipe import BuildRequest, BuiltImage
from sdsk8s.errors import ConfigError, RefusedError
from sdsk8s.model.image import ImageSpec
from sdsk8s.model.names import unknown

logger = logging.getLogger("sdsk8s.docker")

if TYPE_CHECKING:
    from sdsk8s.backends.docker.engine import Engine

LABEL_PREFIX = "org.opencontainers.image."
IMAGE_LABEL = "sdsk8s.image"
"""Images with this label and SITE_LABEL are ours."""
CODE_STAGE = "code"
CODE_LAYER = "\nFROM scratch\nCOPY --from=code /build/code/ /\n"
"""As the Dockerfiles of packages end: what `update --ndeps` lays over the layers that run."""
OVERRIDES_NOTE = "usr/local/share/sds/overrides"


class Workshop:
    """dockerfiles: the shipped folder; source: the site's tree of packages. It writes nothing but the build log."""

    def __init__(self, dockerfiles: Path, source: Path | None, net: HostNet | None = None) -> None:
        self.dockerfiles = dockerfiles
        self._source = source
        self._net = net
        self._known: dict[tuple[Any, ...], str] = {}

    @cached_property
    def net(self) -> HostNet:
        return self._net if self._net is not None else detect(os.environ)

    @cached_property
    def budgets(self) -> kinds.Budgets:
        return kinds.load_budgets(self.dockerfiles)

    def inputs(self, spec: ImageSpec) -> dict[str, str]:
        """{path: sha256} of every file of the image: the `files` of a content tag."""
        kind = self._kind(spec)
        recipe = self._digests(context.recipe_files(self.dockerfiles, kind))
        trees = self._digests(self._packages(spec))
        overlay = self._digests(context.overlay_files(spec.overlay))
        return {
            **recipe,
            **{f"packages/{name}": digest for name, digest in trees.items()},
            **{f"overrides/{name}": digest for name, digest in overlay.items()},
        }

    def args(self, spec: ImageSpec) -> dict[str, str]:
        """Build arguments of the image: its kind's, then its own. ConfigError for one that the Dockerfile lacks."""
        kind = self._kind(spec)
        known = [name for name in self.arguments(spec) if name != kind.parent or name in kind.args]
        for name in spec.args:
            if name not in known:
                raise ConfigError(
                    f"image {spec.name} has no build argument {name}",
                    target=str(self.dockerfiles / kind.folders[0] / "Dockerfile"),
                    words=unknown(name, known) if known else "it takes none",
                )
        return {**kind.args, **spec.args}

    def arguments(self, spec: ImageSpec) -> list[str]:
        """Names of the build arguments that the image's Dockerfile declares."""
        kind = self._kind(spec)
        return context.build_arguments(context.recipe_files(self.dockerfiles, kind)["Dockerfile"].read_text())

    def argument(self, spec: ImageSpec, name: str) -> str:
        """The value of a build argument: the image's, its kind's, or the Dockerfile's own; "" when none says."""
        kind = self._kind(spec)
        text = context.recipe_files(self.dockerfiles, kind)["Dockerfile"].read_text()
        return self.args(spec).get(name) or context.default_argument(text, name)

    def revisions(self, spec: ImageSpec) -> dict[str, str]:
        """{package: git commit, or hash of its tree} of the image's packages."""
        if not spec.packages:
            return {}
        digests = self._digests(self._packages(spec))
        folders = context.package_folders(self._tree(spec), spec.packages)
        return {
            name: revision(folder, {k: v for k, v in digests.items() if k.startswith(f"{name}/")})
            for name, folder in folders.items()
        }

    def build(
        self,
        engine: Engine,
        spec: ImageSpec,
        ref: str,
        *,
        parent: str | None,
        log: Path,
        on_line: Callable[[str], None],
        inputs: Mapping[str, str],
        labels: Mapping[str, str] | None = None,
        code_only: bool = False,
    ) -> BuiltImage:
        """Build the image as `ref` from `parent` (None: the kind's default), within its budget, or ImageError.

        inputs: what `ref` was named after. When the files are others by now, RefusedError and no image.
        code_only: an image of the code layer and nothing else; no stage behind the one that makes it is built.
        """
        kind = self._kind(spec)
        recipe: dict[str, Path | bytes] = dict(context.recipe_files(self.dockerfiles, kind))
        revisions = self.revisions(spec)
        marks = oci_labels(spec, ref, revisions, labels or {})
        text = context.recipe_files(self.dockerfiles, kind)["Dockerfile"].read_text()
        if code_only:
            dockerfile = context.up_to_stage(text, CODE_STAGE) + CODE_LAYER + settings_lines({}, marks)
        else:
            dockerfile = context.up_to_stage(text, kind.target) + settings_lines(spec.env, marks)
        recipe["Dockerfile"] = dockerfile.encode()
        if spec.overlay or spec.env:
            recipe |= {f"overrides/{name}": path for name, path in context.overlay_files(spec.overlay).items()}
            # never empty, and `images audit` reads it
            recipe[f"overrides/{OVERRIDES_NOTE}"] = "".join(f"{t}\n" for t in sorted(spec.overlay)).encode()
        args = {**self.args(spec), **({kind.parent: parent} if parent else {}), **self.net.proxies}
        with context.make_context(recipe, self._packages(spec), spec.links, self.net.files) as tar:
            self._refuse_changed(spec, inputs)
            request = BuildRequest(
                name=spec.name,
                ref=ref,
                context=tar,
                dockerfile=dockerfile,
                log=log,
                target=None if code_only else kind.target,
                args=args,
            )
            logger.debug("docker build -t %s --target %s of %s; log: %s", ref, request.target, kind.name, log)
            built = engine.build(request, on_line)
            logger.debug("built %s: %d bytes in %.0f s", ref, built.size_bytes, built.seconds)
        self.budgets.check(spec.name, kind.name, built.size_bytes, spec.budget)
        return built

    def _refuse_changed(self, spec: ImageSpec, named: Mapping[str, str]) -> None:
        """After packing: a tag that held other content than it says would be kept for good."""
        now = self.inputs(spec)
        changed = sorted(path for path in {*named, *now} if named.get(path) != now.get(path))
        if changed:
            raise RefusedError(
                f"the files of image {spec.name} have changed since its tag was made; it was not built",
                target=changed[0], words=f"{len(changed)} changed", next="run the same command again",
            )  # fmt: skip

    def size_words(self, spec: ImageSpec, size: int) -> str:
        """The measured size beside its budget and the sizes before."""
        return self.budgets.words(spec.name, spec.dockerfile, size, spec.budget)

    def _kind(self, spec: ImageSpec) -> kinds.Kind:
        """The shipped kind of that name, or the folder that the component brings itself."""
        if spec.folder:
            return kinds.Kind(spec.dockerfile, (spec.folder,))
        return kinds.load_kind(self.dockerfiles, spec.dockerfile)

    def _packages(self, spec: ImageSpec) -> dict[str, Path]:
        return context.source_files(self._tree(spec), spec.packages) if spec.packages else {}

    def _tree(self, spec: ImageSpec) -> Path:
        if self._source is None:
            raise ConfigError(
                f"image {spec.name} is built from source, but the site names no source tree",
                next="set `source` in site.yaml",
            )
        return self._source

    def _digests(self, files: Mapping[str, Path]) -> dict[str, str]:
        """As context.digests; a file that has not changed since it was read last is not read again."""
        out = {}
        for name, path in files.items():
            stat = context.stat_of(path)
            key = (str(path), stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino, stat.st_mode)
            if key not in self._known:
                self._known[key] = context.digests({name: path})[name]
            out[name] = self._known[key]
        return out


def settings_lines(env: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """ENV and LABEL of a Dockerfile's last stage, one line each: the classic builder runs a container per line."""
    out = ""
    for word, values in (("ENV", env), ("LABEL", labels)):
        if values:
            pairs = (f'{json.dumps(k) if word == "LABEL" else k}="{_escaped(v)}"' for k, v in sorted(values.items()))
            out += f"{word} {' '.join(pairs)}\n"
    return out


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")


def oci_labels(
    spec: ImageSpec, ref: str, revisions: Mapping[str, str], more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """OCI labels: title, version (the content tag), the revision of each package; `more` wins.

    The image's own revision is that of its packages when they agree, else the content tag.
    """
    tag = ref.rpartition(":")[2]
    agreed = set(revisions.values())
    labels = {
        f"{LABEL_PREFIX}title": spec.name,
        f"{LABEL_PREFIX}version": tag,
        f"{LABEL_PREFIX}revision": agreed.pop() if len(agreed) == 1 else tag,
        IMAGE_LABEL: spec.name,
        "sdsk8s.dockerfile": spec.dockerfile,
        "sdsk8s.packages": " ".join(spec.packages),
        **{f"sdsk8s.revision.{name}": text for name, text in revisions.items()},
    }
    return {**labels, **(more or {})}
