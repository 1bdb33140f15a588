"""`ship`: bundles of the queues to where their workers fetch them, and the workers roll to them."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.model import kube, text
from sdsk8s.model.bundle import KEY_SECRET, bundle_ref
from sdsk8s.model.component import Component
from sdsk8s.model.kube import Object
from sdsk8s.model.names import APPLIED, MANAGED_BY, PART_OF, unknown
from sdsk8s.model.observed import Observed
from sdsk8s.planner.kubernetes import workloads
from sdsk8s.planner.running_images import live_bundles, queue_of
from sdsk8s.planner.ship import Bucket, QueueShip, plan_ship
from sdsk8s.planner.steps import Pack, Plan
from sdsk8s.render.bundles import keep_configuration
from sdsk8s.render.hashes import content_hash
from sdsk8s.render.objects import queue_object_name
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.desired import Choice, desired
from sdsk8s.verbs.session import Session


@dataclass(frozen=True)
class Request:
    """queues: names; empty is all of the site. encrypt: by the server in a bucket, with the site's key for pods."""

    queues: tuple[str, ...] = ()
    encrypt: bool = False

    @property
    def target(self) -> str:
        return " ".join(self.queues) or "all queues"


def plan(session: Session, request: Request) -> Planned:
    """Reads tree, cluster, registry and bucket; changes nothing. UsageError for an unknown queue."""
    queues, encrypt = _chosen(session, request.queues), request.encrypt
    live = session.observe()
    session.bundles.forget()
    shipped: list[QueueShip] = []
    extra: dict[str, Object] = {}
    digests = dict(live.digests)
    for component in _components(session):
        to = _targets(session, component)
        rows = [_look(session, component, queue, to, encrypt, live) for queue in queues]
        refs = {row.queue: row.ref for row in rows if row.ref}
        digests |= session.bundles.digests(refs.values())
        rendered, live = _workers(session, component, refs, live)
        digests = {**live.digests, **digests}
        shipped += [dataclasses.replace(row, worker=rendered.get(row.queue)) for row in rows]
        if encrypt and refs:
            secret = _key_secret(session)
            extra[kube.name(secret)] = secret
    live = dataclasses.replace(live, digests=digests)
    found = plan_ship(request.target, shipped, live, session.site.namespace, extra)
    return Planned(found, {ref: digest for ref, digest in digests.items() if digest})


def run(session: Session, request: Request) -> int:
    _chosen(session, request.queues)  # a typo must be found before anybody is asked
    code = conduct(session, Run("ship", request.target, partial(plan, session, request)))
    if session.options.dry_run and session.options.output == "text":
        for line in file_lines(plan(session, request).plan):
            session.console.print(line)
    return code


def _chosen(session: Session, queues: tuple[str, ...]) -> list[str]:
    known = session.site.queues()
    if not known:
        raise ConfigError("the site has no queues", target=f"{session.site.home}/config", next="fill in QUEUES")
    for queue in queues:
        if queue not in known:
            raise UsageError(f'no queue is called "{queue}"', words=unknown(queue, known))
    return [q for q in known if not queues or q in queues]


def _components(session: Session) -> list[Component]:
    found = [c for c in session.catalogue.ordered() if c.bundle and c.per_queue]
    if not found:
        raise ConfigError("no component in the catalogue declares a bundle", next="add `bundle:` to its component.yaml")
    return found


def _targets(session: Session, component: Component) -> tuple[str, ...]:
    site = session.site
    inside = site.where(component.name) == "kubernetes"
    to = site.ship_to or (("registry",) if inside else ("s3",))
    if "s3" in to and not site.config.get("CODE_BUCKET"):
        raise ConfigError("no bucket configured for bundles", target=f"{site.home}/config", next="set CODE_BUCKET")
    if "registry" in to and not site.registry:
        raise ConfigError("no registry is set", target=f"{site.home}/site.yaml", next="set `registry: host:port`")
    return to


def _look(
    session: Session, component: Component, queue: str, to: tuple[str, ...], encrypt: bool, live: Observed
) -> QueueShip:
    site, bundles = session.site, session.bundles
    whole, code = bundles.archives(component, queue)
    row = QueueShip(queue, component.name, encrypt)
    if "s3" in to:
        bucket = str(site.config["CODE_BUCKET"])
        there = bundles.stored(bucket, whole.file, whole, encrypt)
        row = dataclasses.replace(row, whole=whole, bucket=Bucket(bucket, whole.file, there))
    if "registry" in to:
        tag = f"{code.id}-e{bundles.fingerprint()}" if encrypt else code.id
        ref = bundle_ref(site.registry, site.name, code.file.removeprefix("pods/").removesuffix(".tbz2"), tag)
        name = queue_object_name(component.per_queue, queue)
        row = dataclasses.replace(row, code=code, ref=ref, deployed=live.get("Deployment", name) is not None)
    return row


def _workers(
    session: Session, component: Component, refs: dict[str, str], live: Observed
) -> tuple[dict[str, Object], Observed]:
    """{queue: its workload with the new bundle} of deployed workers that run another one. Nothing else changes."""
    runs = live_bundles(component, live)
    there = {queue_of(live.get(*key) or {}): live.get(*key) for key in workloads(component, live)}
    new = {q: ref for q, ref in refs.items() if q in there and runs.get(q, ("", None))[0] != ref}
    if not new:
        return {}, live
    wanted, live = desired(session, [component], live, Choice(bundles=new))
    out: dict[str, Object] = {}
    for obj in wanted[0].objects:
        queue, old = queue_of(obj), live.get(obj["kind"], kube.name(obj))
        if queue in new and old is not None:
            out[queue] = keep_configuration(dict(obj), old)
    return out, live


def _key_secret(session: Session) -> dict[str, Any]:
    data = base64.b64encode(f"{session.bundles.identity}\n".encode()).decode()
    obj: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": KEY_SECRET,
            "namespace": session.site.namespace,
            "labels": {PART_OF: "sds", MANAGED_BY: "sdsk8s"},
        },
        "type": "Opaque",
        "data": {"identity": data},
    }
    obj["metadata"]["annotations"] = {APPLIED: content_hash(obj)}
    return obj


def file_lines(found: Plan) -> list[str]:
    """The files of each bundle that the plan packs: mode, size, path."""
    lines = []
    for step in found.steps():
        if isinstance(step, Pack):
            lines.append(f"files of {step.file}:")
            lines += [f"  {mode}  {text.size(count):>9}  {path}" for path, count, mode in step.files]
    return lines
