"""`sdsk8s images prune`: what is stored, what may need it, and the plan to remove the rest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sdsk8s.errors import ConfigError, RefusedError
from sdsk8s.model.history import kept_digests
from sdsk8s.model.image import SITE_LABEL
from sdsk8s.model.prune import Stored, Verdict, mentions, verdicts
from sdsk8s.planner.images_prune import plan_prune
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.session import Session

if TYPE_CHECKING:
    from sdsk8s.backends.docker.images import Images

BELOW = "org.opencontainers.image.base.name"
USERS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision", "Job", "CronJob")
"""Kinds whose objects name images that run or may run again."""


@dataclass(frozen=True)
class Request:
    """days: younger images stay: another cluster may be about to run them."""

    days: int = 30


def plan(session: Session, request: Request) -> Planned:
    """Reads registry, engine, cluster and tree; changes nothing. RefusedError when a revision cannot be read."""
    age = timedelta(days=request.days)
    service, now = session.images, datetime.now(UTC)
    images = [name for name in service.names if service.built_here_or_base(name)]
    repositories = {name: service.repository(name) for name in images}
    why = reasons(session, repositories)
    found = verdicts(stored(service, list(repositories.values())), why, now, age)
    tags = _in_engine(service, session.site.name, found, lambda rows: verdicts(rows, why, now, age))
    return Planned(plan_prune(found, tags, session.site.namespace))


def run(session: Session, request: Request) -> int:
    return conduct(session, Run("prune", "images", partial(plan, session, request)))


def reasons(session: Session, repositories: dict[str, str]) -> dict[str, str]:
    """{reference, or a whole repository: why it is needed}."""
    out: dict[str, str] = {}
    for name, repository in repositories.items():
        try:
            out |= {ref.partition("@")[0]: "matches the current tree" for ref in session.images.refs([name]).values()}
        except ConfigError as err:
            out[repository] = f"unknown: {err.what}"
    out |= dict.fromkeys(session.images.named, "matches the current tree")
    kept, unreadable = session.history.kept_everywhere()
    if unreadable:
        raise RefusedError(
            "a recorded revision cannot be read, so the images that it needs are unknown",
            target=", ".join(unreadable),
            next="sdsk8s history COMPONENT; delete that Secret if you do not need it",
        )
    tags = {ref for r in kept for ref in r.images}
    out |= dict.fromkeys([*kept_digests(kept), *tags], "is needed by a recorded revision")
    everywhere = session.cluster.within("")
    objects = [o for kind in USERS for o in everywhere.list(kind)]
    return out | dict.fromkeys(mentions(objects, repositories.values()), "is used by an object in the cluster")


def stored(service: Images, repositories: list[str]) -> list[Stored]:
    """Every tagged image of the repositories. ImageError when the registry does not tell."""
    registry = service.registry

    def read(ref: str) -> Stored | None:
        digest = registry.digest(ref)
        if digest is None:  # gone in between
            return None
        manifest, _ = registry.manifest(ref)
        config = registry.config(ref)
        labels = (config.get("config") or {}).get("Labels") or {}
        repository, _, tag = ref.rpartition(":")
        layers = {str(b["digest"]): int(b["size"]) for b in manifest.get("layers") or ()}
        made = _time(str(config.get("created") or ""))
        return Stored(repository, digest, (tag,), made, layers, str(labels.get(BELOW, "")))

    with ThreadPoolExecutor(max_workers=8) as pool:
        tags = pool.map(lambda r: [f"{r}:{tag}" for tag in registry.tags(r)], repositories)
        rows = [row for row in pool.map(read, [ref for refs in tags for ref in refs]) if row]
    together: dict[str, Stored] = {}
    for row in rows:
        before = together.get(row.ref)
        together[row.ref] = replace(row, tags=(*before.tags, *row.tags)) if before else row
    return list(together.values())


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text[:19])
    except ValueError:
        return None
    # Builds that leave the time out write the year 1 or 1970: no age.
    return found.replace(tzinfo=UTC) if found.year > 1970 else None


def _in_engine(
    service: Images, site: str, found: list[Verdict], judge: Callable[[list[Stored]], list[Verdict]]
) -> list[str]:
    """Tags of the engine that go: those that go from the registry, and old ones that the registry does not have."""
    kept = {f"{v.image.repository}:{tag}" for v in found if v.kept for tag in v.image.tags}
    mine = {v.image.repository for v in found} | {service.repository(name) for name in service.names}
    rows = []
    for image in service.engine.labelled(f"{SITE_LABEL}={site}"):
        repository, _, tag = image.ref.rpartition(":")
        if repository in mine and image.ref not in kept:
            rows.append(Stored(repository, "", (tag,), datetime.fromtimestamp(image.created, UTC)))
    return [f"{v.image.repository}:{v.image.tags[0]}" for v in judge(rows) if not v.kept]
