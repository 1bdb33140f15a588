"""Components as they are to be: rendered, with the images that they run or get."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from sdsk8s.model.component import Component
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import Desired
from sdsk8s.planner.running_images import live_bundles, live_images
from sdsk8s.render.objects import render
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Choice:
    """Which images and bundles a component gets.

    from_tree          images are named after the content of the source tree; otherwise those that run are kept, and
                       only a component that is not deployed yet gets the tree's
    keep_dependencies  new images keep the dependency layer of those that run
    bundles            {queue: reference} instead of the bundle that its workers run; all others are kept
    """

    from_tree: bool = False
    keep_dependencies: bool = False
    bundles: Mapping[str, str] = field(default_factory=dict)


KEEP = Choice()


def desired(
    session: Session, components: list[Component], live: Observed, choice: Choice = KEEP
) -> tuple[list[Desired], Observed]:
    """Rendered components, and the snapshot with the digest of every reference that they use."""
    texts = load_texts(session.site, components)
    images = session.images
    digests: dict[str, str | None] = dict(live.digests)
    out = []
    for c in components:
        refs: dict[str, str] = {}
        kept = live_images(c, live)
        if not choice.from_tree and kept:
            refs = {name: ref for name, (ref, _) in kept.items()}
            digests |= dict(kept.values())
        missing = {n: s for n, s in c.images.items() if n not in refs}
        if missing:
            keep = {n: f"{ref}@{digest}" for n, (ref, digest) in kept.items() if digest}
            refs |= images.refs(missing, keep if choice.keep_dependencies else None)
        # New images from the tree are newer than what was shipped: a bundle kept would hide their code.
        newer = choice.from_tree and any(refs[name] != ref for name, (ref, _) in kept.items() if name in refs)
        bundles = {} if newer else live_bundles(c, live)
        digests |= dict(bundles.values())
        shipped = {queue: ref for queue, (ref, _) in bundles.items()} | dict(choice.bundles)
        objects = render(session.site, session.catalogue, c, texts, refs, shipped)
        builds = {n: r for n, r in refs.items() if n in c.images and images.built_here(n)}
        foreign = {r for n, r in refs.items() if n in c.images and n not in builds and r not in digests}
        digests |= {r: images.foreign_digest(r) for r in foreign}
        out.append(Desired(c, tuple(objects), builds))
    unknown = {r for w in out for r in w.builds.values()} - {r for r, d in digests.items() if d}
    if unknown:
        digests |= images.digests(sorted(unknown))
    return out, dataclasses.replace(live, digests=digests)


def in_levels(session: Session, found: list[Desired]) -> list[list[Desired]]:
    """Components in dependency order; those of one level do not need each other."""
    by_name = {w.component.name: w for w in found}
    return [[by_name[c.name] for c in level] for level in session.catalogue.levels([w.component for w in found])]
