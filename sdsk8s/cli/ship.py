"""`ship [QUEUE...]`: bundles of the queues to where their workers fetch them, and the workers roll to them."""

from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.cli.options import run_options, site_options
from sdsk8s.errors import ConfigError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.names import unknown
from sdsk8s.verbs.options import Options

if TYPE_CHECKING:
    from sdsk8s.model.component import Component
    from sdsk8s.model.kube import Object
    from sdsk8s.model.observed import Observed
    from sdsk8s.planner.ship import QueueShip
    from sdsk8s.planner.steps import Plan
    from sdsk8s.verbs.session import Session


@click.command("ship")
@click.argument("queue", nargs=-1)
@click.option("-e", "--encrypt", is_flag=True, help="Encrypt: by the server in a bucket, with the site's key for pods.")
@site_options
@run_options
def command(queue: tuple[str, ...], encrypt: bool, **kw: Any) -> None:
    """Ship the bundles of QUEUE... or of all queues.

    A bundle is pushed to the registry for workers in the cluster, which roll to it, and to the code bucket for
    workers on virtual machines. What is there already is not shipped again.
    """
    raise click.exceptions.Exit(ship(queue, Options(**kw), encrypt=encrypt))


def ship(queues: tuple[str, ...], options: Options, *, encrypt: bool) -> int:
    """Ship the named queues, or all of the site. Returns the exit code."""
    from sdsk8s.verbs.conduct import plan_and_run
    from sdsk8s.verbs.session import Session

    session = Session(options)
    chosen = _chosen(session, queues)
    target = " ".join(queues) or "all queues"

    def make() -> tuple[Plan, dict[str, str]]:
        return make_plan(session, target, chosen, encrypt)

    code = plan_and_run(session, "ship", target, make, options, "--yes")
    if options.dry_run and options.output == "text":
        plan, _ = make()
        _print_files(plan)
    return code


def make_plan(session: Session, target: str, queues: list[str], encrypt: bool) -> tuple[Plan, dict[str, str]]:
    """The plan and the digests that it relies on. Reads tree, cluster, registry and bucket; changes nothing."""
    from sdsk8s.planner.ship import plan_ship

    live = session.snapshot()
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
    plan = plan_ship(target, shipped, live, session.site.namespace, extra)
    return plan, {ref: digest for ref, digest in digests.items() if digest}


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
        raise ConfigError("no component of the catalogue declares a bundle", next="add `bundle:` to its component.yaml")
    return found


def _targets(session: Session, component: Component) -> tuple[str, ...]:
    site = session.site
    inside = site.where(component.name) == "kubernetes"
    to = site.ship_to or (("registry",) if inside else ("s3",))
    if "s3" in to and not site.config.get("CODE_BUCKET"):
        raise ConfigError("there is no bucket to ship to", target=f"{site.home}/config", next="set CODE_BUCKET")
    if "registry" in to and not site.registry:
        raise ConfigError("no registry is set", target=f"{site.home}/site.yaml", next="set `registry: host:port`")
    return to


def _look(
    session: Session, component: Component, queue: str, to: tuple[str, ...], encrypt: bool, live: Observed
) -> QueueShip:
    from sdsk8s.model.bundle import bundle_ref
    from sdsk8s.planner.ship import Bucket, QueueShip
    from sdsk8s.render.objects import queue_object_name

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
    from sdsk8s.planner.kubernetes import workloads
    from sdsk8s.planner.running_images import live_bundles, queue_of
    from sdsk8s.render.bundles import keep_configuration

    runs = live_bundles(component, live)
    there = {queue_of(live.get(*key) or {}): live.get(*key) for key in workloads(component, live)}
    new = {q: ref for q, ref in refs.items() if q in there and runs.get(q, ("", None))[0] != ref}
    if not new:
        return {}, live
    wanted, live = session.desired([component], live, from_tree=False, new_bundles=new)
    out: dict[str, Object] = {}
    for obj in wanted[0].objects:
        queue, old = queue_of(obj), live.get(*kube.key(obj))
        if queue in new and old is not None:
            out[queue] = keep_configuration(dict(obj), old)
    return out, live


def _key_secret(session: Session) -> dict[str, Any]:
    from sdsk8s.model.bundle import KEY_SECRET
    from sdsk8s.model.names import APPLIED, MANAGED_BY, PART_OF
    from sdsk8s.render.objects import content_hash

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


def _print_files(plan: Plan) -> None:
    from sdsk8s.planner.steps import Pack, words

    for step in plan.steps():
        if isinstance(step, Pack):
            click.echo(f"files of {step.file}:")
            for path, size, mode in step.files:
                click.echo(f"  {mode}  {words(size):>9}  {path}")
