"""Roles and host strings to targets: the pods of a component, or a machine over SSH, as the site says."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sdsk8s.backends.target import CommandTarget
from sdsk8s.errors import RefusedError, SdsError, UsageError
from sdsk8s.model import kube
from sdsk8s.model.component import Component
from sdsk8s.model.names import unknown
from sdsk8s.model.readiness import is_ready

if TYPE_CHECKING:
    from sdsk8s.backends.kubernetes.api import Cluster
    from sdsk8s.verbs.session import Session


class Hosts:
    """Who is behind a role or a host string. Asks the cluster when a role is used, not before."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._pods: dict[str, str] = {}
        self._targets: dict[str, CommandTarget] = {}

    @property
    def cluster(self) -> Cluster:
        return self.session.cluster

    @cached_property
    def roles(self) -> dict[str, Component]:
        """{role: component}: every component, its aliases, and the roles that a store had in the legacy tool."""
        found: dict[str, Component] = {}
        for c in self.session.catalogue.ordered():
            for name in (c.name, *c.aliases, *c.roles):
                found.setdefault(name, c)
        return found

    def component_of(self, role: str) -> Component:
        """The component of a role; a workload may stand behind a slash. UsageError names the nearest role."""
        name = role.partition("/")[0]
        if name not in self.roles:
            raise UsageError(f'no role named "{role}"', words=unknown(name, list(self.roles)), next="sds fab -l")
        return self.roles[name]

    def of_role(self, role: str) -> list[str]:
        """Host strings of a role: names of ready pods, oldest first, or addresses of machines."""
        component = self.component_of(role)
        where = self.session.site.where(component.name)
        if where == "ssh":
            return self._machines(component)
        if where == "external":
            raise RefusedError(
                f"role {role}: {component.name} is managed outside this site (where: external)",
                target=f"{self.session.home}/site.yaml",
                next="name the host: sds fab -H ADDRESS",
            )
        return self._pods_of(component, role.partition("/")[2])

    def expand(self, host: str) -> list[str]:
        """A host string of a file: the address of a component that is in the cluster now means its pods."""
        address = host.rpartition("@")[2]
        for c in self.session.catalogue.ordered():
            if c.ssh and self.session.site.where(c.name) == "kubernetes" and address in self._addresses(c):
                return self._pods_of(c, "")
        return [host]

    def target(self, host: str) -> CommandTarget:
        """Where commands for this host string run."""
        name = host.removeprefix("pod/")
        if name not in self._targets:
            if host.startswith("pod/") and name not in self._pods:
                pod = self.cluster.get("Pod", name)
                if pod is None:
                    raise SdsError(f"no pod named {name}", target=f"namespace {self.cluster.namespace}")
                self._pods[name] = kube.default_container(pod)
            if name in self._pods:
                self._targets[name] = self.session.pod(name, self._pods[name])
            else:
                self._targets[name] = self.session.host(host)
        return self._targets[name]

    def _pods_of(self, component: Component, workload: str) -> list[str]:
        found = [p for p in self.cluster.list("Pod", component.selector()) if is_ready(p)]
        if workload:
            found = [p for p in found if kube.label(p, kube.NAME_LABEL) == workload]
        if not found:
            raise SdsError(
                f"{component.name}{'/' if workload else ''}{workload} has no ready pod",
                target=f"namespace {self.cluster.namespace}",
                next=f"sds status {component.name}",
            )
        found.sort(key=lambda p: (kube.created(p), kube.name(p)))
        for pod in found:
            self._pods[kube.name(pod)] = kube.default_container(pod)
        return [kube.name(p) for p in found]

    def _machines(self, component: Component) -> list[str]:
        addresses = self._addresses(component)
        if not addresses:
            raise SdsError(
                f"{component.name} has no address in the site's config", target=f"{self.session.home}/config"
            )
        return addresses

    def _addresses(self, component: Component) -> list[str]:
        """Addresses of its machines in the site's config, those of OTHER_..._HOSTS included."""
        if component.ssh is None:
            return []
        key, config = component.ssh.address, self.session.site.config
        first = config.get(key)
        found = list(first) if isinstance(first, list) else [first]
        for entry in config.get(f"OTHER_{component.name.upper()}_HOSTS") or ():
            found.append((entry or {}).get(key))
        return [str(a) for a in found if a]


class Roledefs(MutableMapping[str, Any]):
    """env.roledefs: the site's roles, found when they are asked for; a file may set its own."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._own: dict[str, Any] = {}

    def __getitem__(self, role: str) -> Any:
        if role in self._own:
            return self._own[role]
        try:
            return self._hosts.of_role(role)
        except UsageError:
            raise KeyError(role) from None

    def __contains__(self, role: object) -> bool:
        return role in self._own or str(role).partition("/")[0] in self._hosts.roles

    def __setitem__(self, role: str, hosts: Any) -> None:
        self._own[role] = hosts

    def __delitem__(self, role: str) -> None:
        del self._own[role]

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._hosts.roles), **dict.fromkeys(self._own)})

    def __len__(self) -> int:
        return len({*self._hosts.roles, *self._own})
