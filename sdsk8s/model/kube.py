"""Where things stand in a Kubernetes object. Pure.

Every accessor takes an object as the API server or a manifest gives it. What is absent, null or of another type reads
as empty, so that callers need no guards; whether a manifest has the right shape is judged by `lint` and the catalogue.
What is returned is shared with the object, not a copy. (No `from __future__ import annotations` here: it would take
the name of an accessor.)
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sdsk8s.model.names import COMPONENT, SUPERVISED

Object = Mapping[str, Any]

NAME_LABEL = "app.kubernetes.io/name"
"""On every object of a workload: the workload's name."""
PART_LABEL = "app.kubernetes.io/component"
"""On every object of a workload: its part in the component."""
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def _map(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list | tuple) else []


# Metadata


def kind(obj: Object) -> str:
    return str(obj.get("kind") or "")


def meta(obj: Object) -> Any:
    return _map(obj.get("metadata"))


def name(obj: Object) -> str:
    """ "" for an object without a name."""
    return str(meta(obj).get("name") or "")


def namespace(obj: Object) -> str:
    return str(meta(obj).get("namespace") or "")


def uid(obj: Object) -> str:
    return str(meta(obj).get("uid") or "")


def key(obj: Object) -> tuple[str, str]:
    """(kind, name)"""
    return kind(obj), name(obj)


def title(obj: Object) -> str:
    """`Deployment/x`"""
    return f"{kind(obj)}/{name(obj)}"


def labels(obj: Object) -> Any:
    return _map(meta(obj).get("labels"))


def label(obj: Object, label_key: str) -> str:
    """The label's value, "" without it."""
    return _text(labels(obj).get(label_key))


def annotations(obj: Object) -> Any:
    return _map(meta(obj).get("annotations"))


def annotation(obj: Object, annotation_key: str) -> str:
    """The annotation's value, "" without it."""
    return _text(annotations(obj).get(annotation_key))


def component(obj: Object) -> str:
    """Name of the component that the object belongs to, "" when it is not ours."""
    return label(obj, COMPONENT)


def component_selector(name: str) -> str:
    """Label selector of everything that belongs to a component."""
    return f"{COMPONENT}={name}"


def created(obj: Object) -> str:
    """Time of creation, ISO 8601."""
    return str(meta(obj).get("creationTimestamp") or "")


def deleted(obj: Object) -> bool:
    """Its deletion was requested; a pod may still run until its grace period is over."""
    return bool(meta(obj).get("deletionTimestamp"))


def changed(obj: Object) -> datetime | None:
    """When its spec or metadata were last written, to the second; None where the server has not said."""
    entries = [e for e in _list(meta(obj).get("managedFields")) if e.get("subresource") != "status"]
    stamps = [str(e["time"]) for e in entries if e.get("time")]
    return max((datetime.fromisoformat(s) for s in stamps), default=None)


def generation(obj: Object) -> int:
    return _int(meta(obj).get("generation"), 0)


def owned_by(obj: Object, owner_uid: str) -> bool:
    """True when the object with this uid is among its owners."""
    return bool(owner_uid) and any(o.get("uid") == owner_uid for o in _list(meta(obj).get("ownerReferences")))


def has_owner(obj: Object) -> bool:
    """A controller makes it again when it is deleted."""
    return bool(_list(meta(obj).get("ownerReferences")))


def matches(obj: Object, want: Mapping[str, Any]) -> bool:
    """It has all of these labels. An empty selector matches nothing."""
    have = labels(obj)
    return bool(want) and all(have.get(k) == v for k, v in want.items())


def parse_selector(text: str) -> dict[str, str]:
    """`a=b,c=d` as labels."""
    return {k: v for k, _, v in (part.partition("=") for part in text.split(",") if part)}


# Spec and status of workloads


def spec(obj: Object) -> Any:
    return _map(obj.get("spec"))


def status(obj: Object) -> Any:
    return _map(obj.get("status"))


def count(obj: Object, field: str) -> int:
    """A number of the status, such as readyReplicas; 0 when it is absent."""
    return _int(status(obj).get(field), 0)


def replicas(obj: Object) -> int:
    """Desired replicas: 1 when nothing is said."""
    return _int(spec(obj).get("replicas"), 1)


def selector(obj: Object) -> Any:
    """Labels by which a workload or disruption budget finds its pods."""
    return _map(_map(spec(obj).get("selector")).get("matchLabels"))


def selector_text(obj: Object) -> str:
    """The same as a label selector: `a=b,c=d`."""
    return ",".join(f"{k}={v}" for k, v in sorted(selector(obj).items()))


def conditions(obj: Object) -> list[Any]:
    return _list(status(obj).get("conditions"))


def condition(obj: Object, type_: str) -> Any:
    """The condition of that type; {} when it has none."""
    return next((c for c in conditions(obj) if c.get("type") == type_), {})


def holds(obj: Object, type_: str) -> bool:
    """The condition of that type is True."""
    return bool(condition(obj, type_).get("status") == "True")


# Pods and pod templates


def pod_template(obj: Object) -> Any:
    """The pod template of a workload, Job or CronJob; {} for anything else."""
    holder = spec(obj)
    if obj.get("kind") == "CronJob":
        holder = _map(_map(holder.get("jobTemplate")).get("spec"))
    return _map(holder.get("template"))


def pod_spec(obj: Object) -> Any:
    """The pod spec of a Pod, workload, Job, CronJob or of a pod template; {} for anything else."""
    if obj.get("kind") == "Pod":
        return spec(obj)
    return spec(pod_template(obj)) or (spec(obj) if "containers" in spec(obj) else {})


def main_containers(obj: Object) -> list[Any]:
    """The containers of whatever has a pod spec, init containers left out."""
    return _list(pod_spec(obj).get("containers"))


def init_containers(obj: Object) -> list[Any]:
    return _list(pod_spec(obj).get("initContainers"))


def containers(obj: Object) -> list[Any]:
    """Every container of whatever has a pod spec: init containers first."""
    return [*init_containers(obj), *main_containers(obj)]


def images(obj: Object) -> list[str]:
    """Image references of every container, as they are written there."""
    return [str(c.get("image") or "") for c in containers(obj)]


def default_container(pod: Object) -> str:
    """The default container: that of kubectl's annotation, else the first; "" without any."""
    return annotation(pod, _DEFAULT_CONTAINER) or next((str(c.get("name")) for c in main_containers(pod)), "")


def phase(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return str(status(pod).get("phase") or "Pending")


def finished(pod: Object) -> bool:
    """Succeeded, failed or evicted: no longer one of its workload's replicas."""
    return phase(pod) in ("Succeeded", "Failed")


def container_statuses(pod: Object) -> list[Any]:
    """What the kubelet says of the main containers; empty before it has begun."""
    return _list(status(pod).get("containerStatuses"))


def init_statuses(pod: Object) -> list[Any]:
    return _list(status(pod).get("initContainerStatuses"))


def every_status(pod: Object) -> list[Any]:
    """Of every container: init containers first."""
    return [*init_statuses(pod), *container_statuses(pod)]


def state(container_status: Object) -> Any:
    """{"running" or "waiting" or "terminated": details}; {} when the kubelet has not said yet."""
    return _map(container_status.get("state"))


def last_end(container_status: Object) -> Any:
    """How the container ended the last time, {} when it never did."""
    return _map(_map(container_status.get("lastState")).get("terminated"))


def runs(container_status: Object) -> bool:
    return "running" in state(container_status)


def running(pod: Object) -> bool:
    """A main container runs and the pod is not being deleted: a command can run in it."""
    return not deleted(pod) and any(runs(c) for c in container_statuses(pod))


def supervised(pod: Object) -> bool:
    """The pod runs supervisord."""
    return label(pod, SUPERVISED) == "true"


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _int(value: Any, default: int) -> int:
    try:
        return default if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError):
        return default
