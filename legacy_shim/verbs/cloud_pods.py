"""`sds cloud asg create` for workers in the cluster: what scales each queue's pods with its length."""

from __future__ import annotations

from typing import Any

import yaml

from legacy_shim.verbs.cloud_answers import Answers
from sdsk8s.errors import ConfigError, RefusedError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.names import APPLIED, unknown
from sdsk8s.model.queue import Queue, worker_queues
from sdsk8s.planner.steps import Apply, Group, Node, Plan
from sdsk8s.render.autoscaler import API, autoscalers, broker
from sdsk8s.site.data import folder
from sdsk8s.site.yamlfile import read_mapping
from sdsk8s.verbs.conduct import Planned, Run, conduct
from sdsk8s.verbs.session import Session

MOST = 10
"""Pods of one queue, unless MAX_SIZE says otherwise."""


def create(session: Session, answers: Answers) -> int:
    """Applied where the cluster knows the kinds; printed and refused where it does not."""
    objects = _objects(session, answers)
    names = " ".join(sorted({kube.component(o) for o in objects}))
    if not session.cluster.serves(API, "ScaledObject"):
        _print(session, objects)
        raise RefusedError(
            "KEDA is not installed in the cluster: nothing was applied; the objects are printed",
            target=session.cluster.host,
            words=f"the API server does not serve ScaledObject of {API}",
            next="install KEDA 2.16 or later, then run the same command; for virtual machines use --workers machines",
        )

    return conduct(session, Run("cloud asg create", names, lambda: Planned(_plan(session, objects, names))))


def _objects(session: Session, answers: Answers) -> list[dict[str, Any]]:
    site = session.site
    if answers.number("MIN_SIZE", 0) != 0:
        raise UsageError(
            "MIN_SIZE is 0 for pods", words="scale-down to 0 happens when no message is waiting or in progress"
        )
    most = answers.number("MAX_SIZE", MOST)
    if most == 0:
        raise UsageError("MAX_SIZE is 0", next="to stop the workers of a queue: sdsk8s stop")
    data = read_mapping(folder("manifests") / "autoscaler.yaml")
    queues = _chosen(worker_queues(site.config), answers, site.home)
    total = {str(q.get("QUEUE_NAME")): bool(q.get("TOTAL_JOBS_METRIC")) for q in site.config["QUEUES"] if q}
    asked = broker(data, site, session.catalogue)
    workers = [c for c in session.catalogue.ordered() if c.per_queue and site.where(c.name) == "kubernetes"]
    if not workers:
        raise RefusedError(
            "this site has no workers in the cluster",
            target=f"{site.home}/site.yaml",
            next="run the same command with --workers machines",
        )
    return [o for c in workers for o in autoscalers(data, site, c, queues, total, asked, most)]


def _chosen(known: list[Queue], answers: Answers, home: str) -> list[Queue]:
    if not known:
        raise ConfigError("the site has no queues", target=f"{home}/config", next="fill in QUEUES")
    if not answers.has("QUEUES"):
        return known
    names = answers.words("QUEUES", "")
    for name in names:
        if name not in {q.name for q in known}:
            raise UsageError(f'no queue named "{name}"', words=unknown(name, [q.name for q in known]))
    return [q for q in known if q.name in names]


def _plan(session: Session, objects: list[dict[str, Any]], target: str) -> Plan:
    steps: list[Node] = []
    notes: list[str] = []
    for obj in objects:
        kind, name = kube.key(obj)
        there = session.cluster.get(kind, name)
        old = kube.annotation(there or {}, APPLIED)
        if there is None or old != kube.annotation(obj, APPLIED):
            steps.append(Apply(_why(obj), obj, "update" if there else "create"))
        if kind == "ScaledObject" and session.cluster.get("Deployment", name) is None:
            notes.append(f"Deployment/{name} does not exist yet: sds update {target}")
    return Plan("cloud asg create", target, session.site.namespace, Group("autoscalers", tuple(steps)), tuple(notes))


def _why(obj: dict[str, Any]) -> str:
    if obj["kind"] != "ScaledObject":
        return "uses the broker's own Secret"
    trigger = obj["spec"]["triggers"][0]["metadata"]
    counted = "messages" if trigger["excludeUnacknowledged"] == "false" else "waiting messages"
    each = (
        f"one pod for every {trigger['value']} {counted}"
        if trigger["value"] != "1"
        else f"one pod for each of the {counted}"
    )
    return f"0 to {obj['spec']['maxReplicaCount']} pods, {each} of the queue {trigger['queueName']}"


def _print(session: Session, objects: list[dict[str, Any]]) -> None:
    if session.options.json:
        session.console.print_json({"apiVersion": "v1", "kind": "List", "items": objects})
    else:
        session.console.print(yaml.safe_dump_all(objects, sort_keys=False).rstrip())
