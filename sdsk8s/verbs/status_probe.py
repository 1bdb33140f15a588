"""Gathers what `status` judges: one snapshot, then every store, supervisord and address asked in parallel."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sdsk8s.backends.supervisord import host_programs, pod_programs
from sdsk8s.backends.target import CommandTarget
from sdsk8s.errors import ClusterError, SdsError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.exposure import node_addresses, service_urls
from sdsk8s.model.kube import Object
from sdsk8s.model.names import PART_OF
from sdsk8s.model.observed import Observed
from sdsk8s.model.parallel import together
from sdsk8s.model.site import Site
from sdsk8s.model.status import Answer, Probes
from sdsk8s.model.supervisord import SupervisedProgram, askable
from sdsk8s.site.legacy import old_home

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster
    from sdsk8s.verbs.session import Session

OpenPod = Callable[[str, str], CommandTarget]
"""Session.pod, and Session.host: asked for before the threads begin, since they load libraries."""
OpenHost = Callable[[str], CommandTarget]
KINDS = ("Deployment", "StatefulSet", "Pod", "Service")
ASK_SECONDS = 5.0
"""For one store or supervisord; everything together may take a little longer."""
COMMAND_SECONDS = 30.0
"""For one command on a host."""
SSH_SECONDS = 45.0
"""For the hosts of components that are not in the cluster: login and two commands."""


def gather(session: Session, chosen: list[Component]) -> tuple[Observed, Probes]:
    """ClusterError when the snapshot itself cannot be had; a probe that fails is an answer like any other."""
    here = session.here(chosen)
    machines: dict[tuple[str, str, str], Callable[[], Any]] = {
        ("host", "", c.name): partial(_ask_machine, session.host, session.site, c)
        for c in chosen
        if c.ssh and session.site.where(c.name) == "ssh"
    }
    if machines and not here:  # a site that is all virtual machines has no cluster to ask
        return Observed(), _probes(together(machines, SSH_SECONDS), [])
    cluster = session.cluster
    live = _with_replica_sets(cluster, session.observe(*KINDS))
    names = {c.name for c in here}
    asked = {s.store for c in here for s in c.services} | {c.name for c in here if c.store}
    stores = session.here([session.catalogue.get(name) for name in sorted(asked)])
    nodes = _nodes(cluster, live)

    jobs = machines
    for store in stores:
        for pod in live.pods(store.name) if store.check else ():
            if kube.running(pod):
                jobs["store", store.name, kube.name(pod)] = partial(_ask_store, session.pod, store, kube.name(pod))
    for pod in live.objects.get("Pod", {}).values():
        if kube.component(pod) in names and askable(pod):
            jobs["programs", "", kube.name(pod)] = partial(ask_supervisord, session.pod, pod)
    for service in live.objects.get("Service", {}).values():
        if kube.component(service) in names:
            for url in service_urls(service, nodes):
                jobs["url", "", url] = partial(_connects, url)
    return live, _probes(together(jobs, SSH_SECONDS if machines else ASK_SECONDS + 3), nodes)


def _with_replica_sets(cluster: Cluster, live: Observed) -> Observed:
    """ReplicaSets are read where a Deployment reports a failure, which may be that of an old one."""
    if any(kube.holds(d, "ReplicaFailure") for d in live.objects.get("Deployment", {}).values()):
        with suppress(ClusterError):  # an account that may not: what the Deployment says has to do
            found = {kube.name(r): r for r in cluster.list("ReplicaSet", f"{PART_OF}=sds")}
            return replace(live, objects={**live.objects, "ReplicaSet": found})
    return live


def _probes(found: dict[tuple[str, str, str], Any], nodes: list[str]) -> Probes:
    stores: dict[str, list[Answer]] = {}
    programs: dict[str, list[SupervisedProgram] | str] = {}
    hosts: dict[str, list[SupervisedProgram] | str] = {}
    urls: dict[str, bool] = {}
    for (what, group, name), result in found.items():
        failure = _words(result) if isinstance(result, SdsError) else ""
        if what == "store":
            stores.setdefault(group, []).append(Answer(name, None, failure) if failure else result)
        elif what == "programs":
            programs[name] = failure or result
        elif what == "host":
            hosts[name] = failure or result
        else:
            urls[name] = bool(result) and not failure
    return Probes(stores, programs, hosts, urls, nodes)


def _ask_store(open_pod: OpenPod, store: Component, pod: str) -> Answer:
    assert store.check is not None
    done = open_pod(pod, store.check.container).run(store.check.command, ASK_SECONDS)
    return Answer(pod, done.code == 0, done.words.splitlines()[-1] if done.words and done.code else "")


def ask_supervisord(open_pod: OpenPod, pod: Object) -> list[SupervisedProgram] | str:
    """Programs of a pod, or the words of a supervisord that does not answer."""
    return pod_programs(open_pod(kube.name(pod), kube.default_container(pod)), ASK_SECONDS)


def _ask_machine(open_host: OpenHost, site: Site, component: Component) -> list[SupervisedProgram] | str:
    assert component.ssh is not None
    config = site.config
    address = config.get(component.ssh.address)
    if not address:
        return f"no configured host, skipping: {component.ssh.address} is empty"
    host = open_host(str(address))
    return host_programs(host, f"{old_home(config)}/{component.ssh.home}", COMMAND_SECONDS)


def _connects(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=2):
            return True
    except OSError:
        return False


def _nodes(cluster: Cluster, live: Observed) -> list[str]:
    """Node addresses; an account that may not list nodes gets those that pods of ours run on."""
    try:
        found = node_addresses(cluster.list("Node"))
    except ClusterError:
        found = []
    hosts = (str(p.get("status", {}).get("hostIP") or "") for p in live.objects.get("Pod", {}).values())
    return found or sorted({h for h in hosts if h})


def _words(err: SdsError) -> str:
    return f"{err.what}: {err.words.splitlines()[-1]}" if err.words else err.what
