"""What warnings say about objects that cannot say it themselves. Pure functions over Event objects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from sdsk8s.backends.kubernetes.verdict import Object, Trouble, pods_missing

_MISSING = re.compile(
    r'(configmap|secret)s? "[^"]+" (is forbidden|not found)|references non-existent (config|secret) key'
)
_NO_CLASS = re.compile(r'no storage class is set|storageclass\.storage\.k8s\.io "[^"]+" not found')
SCALING = {"TriggeredScaleUp", "Nominated"}
"""Reasons by which autoscalers say that a node for the pod is on its way."""


def when(event: Object) -> datetime:
    """When it was last seen. Writers of events use one of four fields."""
    series = event.get("series") or {}
    for value in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"),
                  event["metadata"].get("creationTimestamp")):  # fmt: skip
        if value:
            return datetime.fromisoformat(str(value))
    return datetime(1970, 1, 1, tzinfo=UTC)


def about(events: Iterable[Object], uids: Iterable[str], since: datetime) -> list[Object]:
    """Events of the objects with these uids that were seen after `since`, oldest first."""
    wanted = {u for u in uids if u}
    found = [e for e in events if (e.get("involvedObject") or {}).get("uid") in wanted and when(e) >= since]
    return sorted(found, key=when)


def creation_refused(obj: Object, maker: str, events: Iterable[Object], since: datetime) -> Trouble | None:
    """Pods that the controller may not make: quota, admission, Pod Security. maker: uid of who makes them."""
    if obj.get("kind") != "Job" and not pods_missing(obj):
        return None
    for event in reversed(about(events, {str(obj["metadata"]["uid"]), maker}, since)):
        if event.get("reason") == "FailedCreate":
            return Trouble(f"{obj['kind']}/{obj['metadata']['name']}", "FailedCreate", str(event.get("message", "")))
    return None


def mount_trouble(pod: Object, events: Iterable[Object], since: datetime) -> Trouble | None:
    """A pod none of whose containers has begun, since a ConfigMap, Secret or key that it mounts is not there."""
    status = pod.get("status", {})
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    if not states or any("waiting" not in (c.get("state") or {}) for c in states):
        return None
    for event in reversed(about(events, {str(pod["metadata"].get("uid", ""))}, since)):
        words = str(event.get("message", ""))
        if event.get("reason") == "FailedMount":
            name = pod["metadata"]["name"]
            return Trouble(f"pod {name}", "FailedMount", words, name, ends=bool(_MISSING.search(words)))
    return None


def claim_trouble(pod: Object, events: Iterable[Object], since: datetime) -> Trouble | None:
    """A claim of the pod that nothing will ever bind: no storage class, or one that does not exist."""
    claims = {(v.get("persistentVolumeClaim") or {}).get("claimName") for v in pod.get("spec", {}).get("volumes") or ()}
    found = [
        e
        for e in events
        if (e.get("involvedObject") or {}).get("kind") == "PersistentVolumeClaim"
        and e["involvedObject"].get("name") in claims
        and when(e) >= since
    ]
    for event in sorted(found, key=when, reverse=True):
        words = str(event.get("message", ""))
        name = pod["metadata"]["name"]
        return Trouble(
            f"claim {event['involvedObject']['name']} of pod {name}", str(event.get("reason", "")), words, name,
            ends=bool(_NO_CLASS.search(words)),
        )  # fmt: skip
    return None
