"""What a lab is called and where it lives: names and addresses, derived from the lab's name and its index.

Everything here is pure. The index (0..9) is allotted once per name and kept in the lab's state, so that
several labs run at the same time:

    bridge and host   172.30.<i>.1      API server, registry, DNS
    nodes             172.30.<i>.11 ... network namespace `sdsk8s-<name>-node1` ...
    pods              10.<244+i>.<node>.0/24
    services          10.<96+i>.0.0/16
    loopback          127.30.<i>.1      etcd and health ports that only this machine may reach
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from sdsk8s.errors import RefusedError, UsageError

STATE_ROOT = Path("/var/lib/sdsk8s/labs")
MAX_LABS = 10
MAX_NODES = 9
# Names that always get the same addresses, as documentation and tests mention them.
FIXED_INDEX = {"default": 0, "test": 1, "test2": 2}
# Linux limits interface names to 15 characters and `sv-<name>-<n>` has to fit.
NAME = re.compile(r"[a-z][a-z0-9]{0,9}")

# Bridges of all labs: an engine of one lab may push to the registry of another.
BRIDGES = "172.30.0.0/16"
API_PORT = 6443
REGISTRY_PORT = 5000


@dataclass(frozen=True)
class Node:
    """One node. `number` counts from 1; `address` is on the bridge; `pods` is its pod range."""

    number: int
    name: str
    address: str
    pods: str
    netns: str
    veth: str


@dataclass(frozen=True)
class Lab:
    """One lab: a name, an index, how many nodes, and the folder that holds all its state."""

    name: str
    index: int
    node_count: int
    state: Path

    @property
    def bridge(self) -> str:
        return f"sb-{self.name}"

    @property
    def address(self) -> str:
        """The host's address on the bridge."""
        return f"172.30.{self.index}.1"

    @property
    def subnet(self) -> str:
        return f"172.30.{self.index}.0/24"

    @property
    def pods(self) -> str:
        return f"10.{244 + self.index}.0.0/16"

    @property
    def services(self) -> str:
        return f"10.{96 + self.index}.0.0/16"

    @property
    def api_service(self) -> str:
        """Address of the Service `kubernetes`: the first of the range."""
        return f"10.{96 + self.index}.0.1"

    @property
    def loopback(self) -> str:
        return f"127.30.{self.index}.1"

    @property
    def server(self) -> str:
        return f"https://{self.address}:{API_PORT}"

    @property
    def registry(self) -> str:
        return f"{self.address}:{REGISTRY_PORT}"

    @property
    def cgroup(self) -> str:
        return f"/sdsk8s-{self.name}"

    @property
    def mark(self) -> str:
        """Comment on every iptables rule of this lab; by it the rules are found again."""
        return f"sdsk8s-lab-{self.name}"

    @property
    def netns_prefix(self) -> str:
        return f"sdsk8s-{self.name}-"

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(
            Node(
                number=n,
                name=f"node{n}",
                address=f"172.30.{self.index}.{10 + n}",
                pods=f"10.{244 + self.index}.{n}.0/24",
                netns=f"{self.netns_prefix}node{n}",
                veth=f"sv-{self.name}-{n}",
            )
            for n in range(1, self.node_count + 1)
        )

    @property
    def run(self) -> Path:
        """Sockets, pid files and namespace files: emptied whenever the lab is not running."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def etc(self) -> Path:
        """Rendered configuration files."""
        return self.state / "etc"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def record(self) -> Path:
        """JSON: index, node count, fingerprint of what is running."""
        return self.state / "lab.json"

    @property
    def supervisor_socket(self) -> Path:
        return self.run / "supervisor.sock"

    @property
    def docker_socket(self) -> Path:
        return self.run / "docker.sock"

    def mount_namespace(self, host: str) -> Path:
        return self.run / "ns" / host


def check_name(name: str) -> str:
    """The name, or UsageError when devices could not be named after it."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f'"{name}" is not a valid lab name',
            words="expected 1 to 10 lower-case letters and digits, starting with a letter",
            next="sdsk8s lab up --name default",
        )
    return name


def check_nodes(count: int) -> int:
    if not 1 <= count <= MAX_NODES:
        raise UsageError(f"expected 1 to {MAX_NODES} nodes, got {count}", next="sdsk8s lab up --nodes 2")
    return count


def ranges(index: int) -> tuple[IPv4Network, ...]:
    """All networks that a lab of this index uses."""
    lab = Lab(name="x", index=index, node_count=1, state=Path("/"))
    return tuple(IPv4Network(text) for text in (lab.subnet, lab.pods, lab.services))


def overlapping(index: int, routes: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Routes of the host (default routes left out) that a lab of this index would collide with."""
    mine = ranges(index)
    return [route for route in routes if route.prefixlen > 0 and any(route.overlaps(net) for net in mine)]


def allot(name: str, taken: Iterable[int], busy: Callable[[int], bool]) -> int:
    """An index for a new lab: its fixed one, else the first that no lab has and no route of the host meets.

    Raises RefusedError when none is left.
    """
    used = set(taken)
    wanted = [FIXED_INDEX[name]] if name in FIXED_INDEX else []
    others = [i for i in range(MAX_LABS) if i not in FIXED_INDEX.values()]
    for index in [*wanted, *others]:
        if index not in used and not busy(index):
            return index
    raise RefusedError(
        f'no free address range for a lab called "{name}"',
        words=f"taken by other labs: {sorted(used)}; the other ranges overlap routes of this machine",
        next="sdsk8s lab down --purge --name OTHER",
    )


def default_nodes(memory_mib: int, cpus: int) -> int:
    """Two nodes where they fit: 2 CPUs and 2.5 GiB of available memory; else one."""
    return 2 if memory_mib >= 2560 and cpus >= 2 else 1
