"""What `status` knows: facts from one snapshot and from probes, judged by pure functions. Printing is elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sdsk8s.model import kube
from sdsk8s.model.bundle import ANNOTATION as BUNDLE
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import Component
from sdsk8s.model.exposure import Url, service_urls
from sdsk8s.model.kube import Object
from sdsk8s.model.names import WORKLOADS
from sdsk8s.model.observed import Observed
from sdsk8s.model.readiness import PodFacts, pod_facts
from sdsk8s.model.rollout import rollout, rollout_trouble
from sdsk8s.model.site import Site
from sdsk8s.model.supervisord import SupervisedProgram

ACTIVE, INACTIVE, UNKNOWN = "ACTIVE", "INACTIVE", "UNKNOWN"


@dataclass(frozen=True)
class Workload:
    """state: ready, updating, not ready, stopped or missing. age in seconds, of the youngest pod.

    image: tag of the reference; bundle: id of the one its pods run (`ship`)
    trouble: why pods cannot be made, in the server's words.
    """

    kind: str
    name: str
    state: str
    ready: int = 0
    desired: int = 0
    updated: int = 0
    recorded: int | None = None
    restarts: int = 0
    age: int | None = None
    nodes: tuple[str, ...] = ()
    image: str = ""
    bundle: str = ""
    trouble: str = ""
    pods: tuple[PodFacts, ...] = ()
    programs: tuple[SupervisedProgram, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What became of one probe of a store pod: ok None means that the probe could not run."""

    pod: str
    ok: bool | None
    words: str = ""


@dataclass(frozen=True)
class Store:
    """A line of "third-party services". down_by_choice: scaled to 0 or not deployed, which is not a fault."""

    store: str
    label: str
    state: str
    words: str = ""
    where: str = "kubernetes"
    search: bool = False
    asked: str = ""
    down_by_choice: bool = False


@dataclass(frozen=True)
class ComponentStatus:
    """state: ready, updating, not ready, stopped, not deployed, stub or elsewhere; note: one line for the last two."""

    name: str
    title: str
    where: str
    state: str
    note: str = ""
    stores: tuple[Store, ...] = ()
    workloads: tuple[Workload, ...] = ()
    urls: tuple[Url, ...] = ()
    ok: bool = True
    programs: tuple[SupervisedProgram, ...] = ()


@dataclass(frozen=True)
class SystemStatus:
    namespace: str
    ok: bool
    components: tuple[ComponentStatus, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probes:
    """Answers gathered beside the snapshot; whatever could not be asked is simply absent.

    stores    {store: one Answer per pod}
    programs  {pod: its programs, or the words of the failure}
    hosts     {component on a virtual machine: its programs, or the words of the failure}
    urls      {url: reachable}
    nodes     addresses of nodes, ready ones first
    """

    stores: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    programs: Mapping[str, Sequence[SupervisedProgram] | str] = field(default_factory=dict)
    hosts: Mapping[str, Sequence[SupervisedProgram] | str] = field(default_factory=dict)
    urls: Mapping[str, bool] = field(default_factory=dict)
    nodes: Sequence[str] = ()


def system_status(
    site: Site, catalogue: Catalogue, chosen: Iterable[Component], live: Observed, probes: Probes, now: datetime
) -> SystemStatus:
    """Judge the chosen components. ok: everything that should run is ready, and so are the stores it needs."""
    found = tuple(component_status(site, catalogue, c, live, probes, now) for c in chosen)
    return SystemStatus(site.namespace, all(c.ok for c in found), found)


def component_status(
    site: Site, catalogue: Catalogue, component: Component, live: Observed, probes: Probes, now: datetime
) -> ComponentStatus:
    where = site.where(component.name)
    head = (component.name, component.title, where)
    if component.stub:
        return ComponentStatus(*head, "stub", component.stub)
    if where == "ssh" and component.name in probes.hosts:
        return _on_machine(component, where, probes.hosts[component.name])
    if where != "kubernetes":
        return ComponentStatus(*head, "elsewhere", f"does not run in the cluster (where: {where})")
    loads = workloads(component, live, probes, now)
    services = [(s.store, s.label) for s in component.services]
    if component.store and component.check:
        services = [(component.name, component.name)]
    stores = tuple(_store(site, catalogue.get(name), label, live, probes) for name, label in services)
    state = _state(loads)
    # A store that is down on purpose is the fault of what runs and needs it, and of nobody else.
    stores_ok = all(s.state == ACTIVE or s.where != "kubernetes" or s.down_by_choice for s in stores)
    if state not in ("stopped", "not deployed"):
        stores_ok = all(s.state == ACTIVE or s.where != "kubernetes" for s in stores)
    programs_ok = all(p.ok for w in loads for p in w.programs)
    ok = state not in ("not ready", "updating") and stores_ok and programs_ok
    return ComponentStatus(*head, state, "", stores, loads, _urls(component, live, probes), ok)


def _on_machine(component: Component, where: str, found: Sequence[SupervisedProgram] | str) -> ComponentStatus:
    """A component under supervisord on a virtual machine; words instead of programs mean that the query failed."""
    head = (component.name, component.title, where)
    if isinstance(found, str):
        return ComponentStatus(*head, "elsewhere", found, ok=False)
    ok = all(p.ok for p in found)
    return ComponentStatus(*head, "elsewhere", "on a virtual machine", ok=ok, programs=tuple(found))


def workloads(component: Component, live: Observed, probes: Probes, now: datetime) -> tuple[Workload, ...]:
    """Workloads that exist, and those of the manifests that are missing beside them."""
    found = {
        (kind, name): obj
        for kind in WORKLOADS
        for name, obj in live.objects.get(kind, {}).items()
        if kube.component(obj) == component.name
    }
    out = [_workload(kind, name, obj, live, probes, now) for (kind, name), obj in found.items()]
    if found:
        declared = {kube.key(m) for m in component.manifests if m["kind"] in WORKLOADS}
        missing = [k for k in declared if k not in found and k[1] != component.per_queue]
        out += [Workload(kind, name, "missing") for kind, name in missing]
    return tuple(sorted(out, key=lambda w: w.name))


def _workload(kind: str, name: str, obj: Object, live: Observed, probes: Probes, now: datetime) -> Workload:
    want, every = kube.selector(obj), live.objects.get("Pod", {}).values()
    mine = [pod_facts(p, now) for p in every if kube.matches(p, want) and not kube.finished(p)]
    pods = tuple(sorted(mine, key=lambda p: p.name))
    at = rollout(obj)
    state = "ready" if at.complete else "updating" if at.ready == at.desired else "not ready"
    sets = live.objects.get("ReplicaSet")
    trouble = rollout_trouble({**obj, "kind": kind}, None if sets is None else list(sets.values()))
    ages = [p.age for p in pods if p.age is not None]
    return Workload(
        kind=kind,
        name=name,
        state="stopped" if at.desired == 0 else state,
        ready=at.ready,
        desired=at.desired,
        updated=at.updated,
        recorded=live.recorded(kind, name),
        restarts=sum(p.restarts for p in pods),
        age=min(ages) if ages else None,
        nodes=tuple(sorted({p.node for p in pods if p.node})),
        image=_tag(obj),
        bundle=kube.annotation(kube.pod_template(obj), BUNDLE),
        trouble=f"{trouble.reason}: {trouble.words}" if trouble else "",
        pods=pods,
        programs=tuple(program for p in pods for program in _programs(p.name, probes)),
    )


def _programs(pod: str, probes: Probes) -> list[SupervisedProgram]:
    found = probes.programs.get(pod, ())
    return [SupervisedProgram(pod, "supervisord", UNKNOWN, found)] if isinstance(found, str) else list(found)


def _store(site: Site, store: Component, label: str, live: Observed, probes: Probes) -> Store:
    search = bool(store.check and any(word.startswith("es://") for word in store.check.command))
    where = site.where(store.name)
    if where != "kubernetes":
        addresses = {str(site.config.get(key)) for key in store.addresses if site.config.get(key)}
        words = f"outside the cluster ({', '.join([where, *sorted(addresses)])}), not checked"
        return Store(store.name, label, UNKNOWN, words, where, search)
    loads = [o for k in WORKLOADS for o in live.objects.get(k, {}).values() if kube.component(o) == store.name]
    if not loads:
        return Store(store.name, label, INACTIVE, "not deployed", where, search, down_by_choice=True)
    if all(kube.replicas(o) == 0 for o in loads):
        return Store(store.name, label, INACTIVE, "stopped", where, search, down_by_choice=True)
    answers = list(probes.stores.get(store.name, ()))
    asked = ", ".join(a.pod for a in answers)
    good = [a for a in answers if a.ok]
    words = "; ".join(f"{a.pod}: {a.words}" for a in answers if not a.ok)
    if good:
        return Store(store.name, label, ACTIVE, words, where, search, asked)
    if any(a.ok is False for a in answers):
        return Store(store.name, label, INACTIVE, words, where, search, asked)
    if not answers and store.check:
        return Store(store.name, label, INACTIVE, "no running pod", where, search)
    return Store(store.name, label, UNKNOWN, words or "no check is declared", where, search, asked)


def _state(loads: Sequence[Workload]) -> str:
    if not loads:
        return "not deployed"
    if all(w.state == "stopped" for w in loads):
        return "stopped"
    if any(w.state in ("not ready", "missing") for w in loads):
        return "not ready"
    return "updating" if any(w.state == "updating" for w in loads) else "ready"


def _urls(component: Component, live: Observed, probes: Probes) -> tuple[Url, ...]:
    out = []
    for name, service in sorted(live.objects.get("Service", {}).items()):
        if kube.component(service) != component.name:
            continue
        candidates = service_urls(service, probes.nodes)
        if candidates:
            best = next((u for u in candidates if probes.urls.get(u)), candidates[0])
            out.append(Url(name, best, probes.urls.get(best)))
    return tuple(out)


def _tag(obj: Object) -> str:
    first: Object = next(iter(kube.main_containers(obj)), {})
    ref, _, digest = str(first.get("image", "")).partition("@")
    name, _, tag = ref.rpartition(":")
    return tag if name and "/" not in tag else digest.removeprefix("sha256:")[:12]
