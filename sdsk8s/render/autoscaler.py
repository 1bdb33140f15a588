"""KEDA's objects that scale the workers of each queue with its length, from manifests/autoscaler.yaml. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import ConfigError, RefusedError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.names import APPLIED, COMPONENT, MANAGED_BY, PART_OF
from sdsk8s.model.queue import Queue
from sdsk8s.model.site import Site
from sdsk8s.render.hashes import content_hash
from sdsk8s.render.objects import queue_object_name

API = "keda.sh/v1alpha1"
KINDS = ("TriggerAuthentication", "ScaledObject")
_ONE_POD = "1000000"
"""Messages per pod of a trigger that shall keep one pod, however many there are."""


@dataclass(frozen=True)
class Broker:
    """host: URL of the management interface. secret, username, password: the Secret and its keys."""

    host: str
    secret: str
    username: str
    password: str


def broker(data: Mapping[str, Any], site: Site, catalogue: Catalogue) -> Broker:
    """The store that has the queues. RefusedError when it does not live in the cluster."""
    keys = data["broker"]
    for store in catalogue.ordered():
        service = store.addresses.get(keys["address"])
        for secret in store.secrets:
            names = {config: key for key, config in secret.keys.items()}
            if service and keys["username"] in names and keys["password"] in names:
                if site.where(store.name) != "kubernetes":
                    raise RefusedError(
                        f"{store.name} runs outside the cluster and its Secret does not exist",
                        target=f"{site.home}/site.yaml",
                    )
                host = f"http://{service}.{site.namespace}.svc:{keys['port']}/"
                return Broker(host, secret.name, names[keys["username"]], names[keys["password"]])
    raise ConfigError("no store in the catalogue holds the queues", words=f"`addresses` with {keys['address']}")


def autoscalers(
    data: Mapping[str, Any],
    site: Site,
    component: Component,
    queues: Sequence[Queue],
    total: Mapping[str, bool],
    asked: Broker,
    most: int,
) -> list[dict[str, Any]]:
    """One TriggerAuthentication and a ScaledObject per queue, in apply order.

    total: {queue: messages that are being worked on count as well}; most: pods of one queue.
    """
    login = copy.deepcopy(dict(data["authentication"]))
    login["metadata"] = {"name": component.per_queue}
    login["spec"]["secretTargetRef"] = [
        {"parameter": "username", "name": asked.secret, "key": asked.username},
        {"parameter": "password", "name": asked.secret, "key": asked.password},
    ]
    out = [login]
    for queue in queues:
        obj = copy.deepcopy(dict(data["scaler"]))
        name = queue_object_name(component.per_queue, queue.name)
        obj["metadata"] = {"name": name}
        obj["spec"]["scaleTargetRef"]["name"] = name
        obj["spec"]["maxReplicaCount"] = most
        per_pod = {"all": str(queue.processes)}
        if not total.get(queue.name):
            # Who only counts what waits would end pods whose last messages are still being worked on.
            per_pod = {"waiting": str(queue.processes), "all": _ONE_POD}
        for kind, value in per_pod.items():
            trigger = copy.deepcopy(dict(data["triggers"][kind]))
            trigger["metadata"] |= {"host": asked.host, "queueName": queue.name, "value": value}
            trigger["authenticationRef"] = {"name": component.per_queue}
            obj["spec"]["triggers"].append(trigger)
        out.append(obj)
    for obj in out:
        labels = {PART_OF: "sds", MANAGED_BY: "sdsk8s", COMPONENT: component.name}
        obj["metadata"] |= {"namespace": site.namespace, "labels": labels}
        obj["metadata"]["annotations"] = {APPLIED: content_hash(obj)}
    return out
