"""What Events of type Warning say about objects that cannot say it themselves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from sdsk8s.model import kube
from sdsk8s.model.kube import Object
from sdsk8s.model.readiness import Trouble
from sdsk8s.model.rollout import pods_missing

_MISSING = re.compile(
    r'(configmap|secret)s? "[^"]+" (is forbidden|not found)|references non-existent (config|secret) key'
)
_NO_CLASS = re.compile(r'no storage class is set|storageclass\.storage\.k8s\.io "[^"]+" not found')
SCALING = {"TriggeredScaleUp", "Nominated"}
"""Reasons by which autoscalers say that a node for the pod is on its way."""


def when(event: Object) -> datetime:
    """When it was last seen. Writers of events use one of four fields."""
    series = event.get("series") or {}
    given = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"), kube.created(event))
    stamp = next((str(value) for value in given if value), "")
    return datetime.fromisoformat(stamp) if stamp else datetime(1970, 1, 1, tzinfo=UTC)


def about(events: Iterable[Object], uids: Iterable[str], since: datetime) -> list[Object]:
    """Events of the objects with these uids that were seen after `since`, oldest first."""
    wanted = {u for u in uids if u}
    found = [e for e in events if (e.get("involvedObject") or {}).get("uid") in wanted and when(e) >= since]
    return sorted(found, key=when)


def creation_refused(obj: Object, maker: str, events: Iterable[Object], since: datetime) -> Trouble | None:
    """Pods that the controller may not make: quota, admission, Pod Security. maker: uid of who makes them.

    What was refused before the last change of the object is the fault of an earlier manifest, and left out.
    """
    if kube.kind(obj) != "Job" and not pods_missing(obj):
        return None
    since = max(since, kube.changed(obj) or since)
    for event in reversed(about(events, {kube.uid(obj), maker}, since)):
        if event.get("reason") == "FailedCreate":
            return Trouble(kube.title(obj), "FailedCreate", str(event.get("message", "")))
    return None


def mount_trouble(pod: Object, events: Iterable[Object], since: datetime) -> Trouble | None:
    """A pod none of whose containers has begun, since a ConfigMap, Secret or key that it mounts does not exist."""
    states = kube.every_status(pod)
    if not states or any("waiting" not in kube.state(c) for c in states):
        return None
    name = kube.name(pod)
    for event in reversed(about(events, {kube.uid(pod)}, since)):
        words = str(event.get("message", ""))
        if event.get("reason") == "FailedMount":
            return Trouble(f"pod {name}", "FailedMount", words, name, hopeless=bool(_MISSING.search(words)))
    return None


def claim_trouble(pod: Object, events: Iterable[Object], since: datetime) -> Trouble | None:
    """A claim of the pod that nothing will ever bind: no storage class, or one that does not exist."""
    volumes = kube.spec(pod).get("volumes") or ()
    claims = {(v.get("persistentVolumeClaim") or {}).get("claimName") for v in volumes}
    found = [
        e
        for e in events
        if (e.get("involvedObject") or {}).get("kind") == "PersistentVolumeClaim"
        and e["involvedObject"].get("name") in claims
        and when(e) >= since
    ]
    if not found:
        return None
    event = max(found, key=when)
    words, name = str(event.get("message", "")), kube.name(pod)
    target = f"claim {event['involvedObject']['name']} of pod {name}"
    return Trouble(target, str(event.get("reason", "")), words, name, hopeless=bool(_NO_CLASS.search(words)))
