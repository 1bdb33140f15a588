"""What a verb works with: site, catalogue, cluster and images, each made when first asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdsk8s.errors import ConfigError
from sdsk8s.model import kube
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.model.site import Site
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.running_images import live_bundles, live_images
from sdsk8s.render.objects import render
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import home_folder, load_site
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.backends.bundles import Bundles
    from sdsk8s.backends.docker.images import Images
    from sdsk8s.backends.kubernetes.api import Cluster


class Session:
    """One run's view of the world. Reading the site and catalogue comes first, so that bad files fail first."""

    def __init__(self, options: Options) -> None:
        self.options = options
        site = load_site(home_folder(options.home))
        self.site: Site = dataclasses.replace(
            site, namespace=options.namespace or site.namespace, context=options.context or site.context
        )
        self.catalogue: Catalogue = load_catalogue(self.site.manifests)
        for name in self.site.components:
            if name not in self.catalogue.components:
                raise ConfigError(
                    f'components.{name}: no component is called "{name}"',
                    target=f"{self.site.home}/site.yaml",
                    words="known: " + ", ".join(c.name for c in self.catalogue.ordered()),
                )

    @cached_property
    def cluster(self) -> Cluster:
        from sdsk8s.backends.kubernetes.connect import connect

        return connect(self.site.context, self.options.kubeconfig, self.site.namespace)

    @cached_property
    def images(self) -> Images:
        from sdsk8s.backends.docker.images import Images

        return Images(self.site, self.catalogue)

    @cached_property
    def bundles(self) -> Bundles:
        from sdsk8s.backends.bundles import Bundles

        return Bundles(self.site, self.images.registry)

    @property
    def home(self) -> Path:
        return Path(self.site.home)

    def here(self, components: list[Component]) -> list[Component]:
        """Those that live in the cluster. External ones are left to their owners."""
        return [c for c in components if self.site.where(c.name) == "kubernetes"]

    def snapshot(self) -> Observed:
        """The cluster as it is now; image digests are added when they are known."""
        from sdsk8s.backends.kubernetes.snapshot import snapshot

        return Observed(objects=snapshot(self.cluster))

    def desired(
        self,
        components: list[Component],
        live: Observed,
        *,
        from_tree: bool,
        keep_dependencies: bool = False,
        new_bundles: Mapping[str, str] | None = None,
    ) -> tuple[list[Desired], Observed]:
        """Rendered components, and the snapshot with digests of every reference that they use.

        from_tree: images are named after the content of the source tree; otherwise those that run are kept, and
        only a component that is not deployed yet gets the tree's.
        keep_dependencies: new images keep the dependency layer of those that run.
        new_bundles: {queue: reference} instead of the bundle that its workers run; all others are kept.
        """
        texts = load_texts(self.site, components)
        digests: dict[str, str | None] = dict(live.digests)
        out = []
        for c in components:
            refs: dict[str, str] = {}
            kept = live_images(c, live)
            if not from_tree and kept:
                refs = {name: ref for name, (ref, _) in kept.items()}
                digests |= dict(kept.values())
            missing = {n: s for n, s in c.images.items() if n not in refs}
            if missing:
                keep = {n: f"{ref}@{digest}" for n, (ref, digest) in kept.items() if digest}
                refs |= self.images.refs(missing, keep if keep_dependencies else None)
            # New images from the tree are newer than what was shipped: a bundle kept would hide their code.
            newer = from_tree and any(refs[name] != ref for name, (ref, _) in kept.items() if name in refs)
            bundles = {} if newer else live_bundles(c, live)
            digests |= dict(bundles.values())
            shipped = {queue: ref for queue, (ref, _) in bundles.items()} | dict(new_bundles or {})
            objects = render(self.site, self.catalogue, c, texts, refs, shipped)
            builds = {n: r for n, r in refs.items() if n in c.images and self.images.built_here(n)}
            foreign = {r for n, r in refs.items() if n in c.images and n not in builds and r not in digests}
            digests |= {r: self.images.foreign_digest(r) for r in foreign}
            out.append(Desired(c, tuple(objects), builds))
        unknown = {r for w in out for r in w.builds.values()} - {r for r, d in digests.items() if d}
        if unknown:
            digests |= self.images.digests(sorted(unknown))
        return out, dataclasses.replace(live, digests=digests)

    def levels(self, wanted: list[Desired]) -> list[list[Desired]]:
        """Desired components in dependency order."""
        by_name = {w.component.name: w for w in wanted}
        return [[by_name[c.name] for c in level] for level in self.catalogue.levels([w.component for w in wanted])]


def workload_names(objects: Any) -> list[tuple[str, str]]:
    """(kind, name) of the workloads among rendered objects."""
    return [kube.key(o) for o in objects if o["kind"] in WORKLOADS]
