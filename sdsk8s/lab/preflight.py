"""What has to be right before `lab up` touches anything: one table."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdsk8s.lab import images, net, packages, tools
from sdsk8s.lab.plan import API_PORT, REGISTRY_PORT, Lab, overlapping
from sdsk8s.lab.shell import find

State = Literal["ok", "will do", "missing"]

DISK_STATE_MIB = 5_000
DISK_BUILD_MIB = 6_000
IP_FREEBIND = 15  # of linux/in.h; Python has no name for it


@dataclass(frozen=True)
class Check:
    """One line. `missing` stops `up`; `will do` says what `up` is going to do about it."""

    what: str
    state: State
    words: str


def memory_needed(nodes: int) -> int:
    """MiB: control plane, registry and dockerd, and a quarter GiB per node."""
    return 900 + 250 * nodes


def available_memory(meminfo: str) -> int:
    """MiB that can be used without swapping, in the words of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def memory() -> int:
    return available_memory(Path("/proc/meminfo").read_text())


def free_disk(path: Path) -> int:
    """MiB free where a path is or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // (1 << 20)


def ports(lab: Lab) -> list[tuple[str, int, str, socket.SocketKind]]:
    """(address, port, part, kind) that the lab listens on."""
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    return [
        (lab.address, API_PORT, "API server", tcp),
        (lab.address, REGISTRY_PORT, "registry", tcp),
        (lab.address, 53, "DNS", udp),
        (lab.address, 53, "DNS", tcp),
        (lab.loopback, 2379, "etcd", tcp),
        (lab.loopback, 2380, "etcd", tcp),
        (lab.loopback, 10257, "controller-manager", tcp),
        (lab.loopback, 10259, "scheduler", tcp),
    ]


def port_taken(address: str, port: int, kind: socket.SocketKind) -> bool:
    """Whether somebody listens there, perhaps on all addresses. The address need not exist yet."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as err:
            return err.errno == errno.EADDRINUSE
    return False


def checks(lab: Lab, remains: bool) -> list[Check]:
    """All lines for a lab that is not running as it should. `remains`: processes of an earlier run still do."""
    found = [
        check_root(os.geteuid()),
        check_kernel(Path("/proc/filesystems").read_text(), Path("/proc/mounts").read_text()),
        check_packages(packages.missing(), find("apt-get") is not None),
        check_tools(tools.missing(), tools.system_go),
        check_memory(memory(), lab.node_count),
        check_disk("disk for the lab", free_disk(lab.state), DISK_STATE_MIB, lab.state),
        check_remains() if remains else check_ports(lab),
        check_addresses(lab),
    ]
    if tools.missing():
        found.append(check_disk("disk for the build", free_disk(tools.cache()), DISK_BUILD_MIB, tools.cache()))
    if images.base_missing():
        found.append(Check("base image", "will do", "made by mmdebstrap from a Debian mirror (only once)"))
    return found


def check_root(uid: int) -> Check:
    if uid == 0:
        return Check("root", "ok", "")
    return Check("root", "missing", "namespaces, mounts and cgroups need root: sudo sdsk8s lab up")


def check_kernel(filesystems: str, mounts: str) -> Check:
    lacking = []
    # A module that is not loaded yet is not listed; containerd loads overlay itself where modules exist.
    if "overlay" not in filesystems.split() and not Path("/lib/modules", os.uname().release).is_dir():
        lacking.append("overlay file system")
    if " cgroup" not in mounts:
        lacking.append("mounted cgroups")
    if lacking:
        return Check("kernel", "missing", ", ".join(lacking))
    return Check("kernel", "ok", f"{os.uname().release}, cgroup v{1 if ' cgroup ' in mounts else 2}")


def check_packages(lacking: Sequence[str], has_apt: bool) -> Check:
    if not lacking:
        return Check("packages", "ok", "")
    words = " ".join(lacking)
    if has_apt:
        return Check("packages", "will do", f"apt-get install {words} (services not started)")
    return Check("packages", "missing", f"{words} (apt-get not found: install them yourself)")


def check_tools(lacking: Sequence[str], system_go: object) -> Check:
    if not lacking:
        return Check("Kubernetes", "ok", f"built, in {tools.folder()}")
    go = system_go() if callable(system_go) else None
    source = f"with {go}" if go else f"with {tools.GO_PACKAGE} from PyPI"
    return Check("Kubernetes", "will do", f"build {len(lacking)} programs {source} (only once, some minutes)")


def check_memory(available: int, nodes: int) -> Check:
    needed = memory_needed(nodes)
    words = f"{available} MiB available, {needed} MiB needed for {nodes} node{'s' if nodes > 1 else ''}"
    if available < needed:
        return Check("memory", "missing", words + ("; try --nodes 1" if nodes > 1 else ""))
    return Check("memory", "ok", words)


def check_disk(what: str, free: int, needed: int, path: Path) -> Check:
    words = f"{free} MiB free at {path}, {needed} MiB needed"
    return Check(what, "ok" if free >= needed else "missing", words)


def check_ports(lab: Lab) -> Check:
    taken = [
        f"{address}:{port} ({part})" for address, port, part, kind in ports(lab) if port_taken(address, port, kind)
    ]
    if taken:
        return Check("ports", "missing", "in use: " + ", ".join(dict.fromkeys(taken)))
    return Check("ports", "ok", f"{lab.address}: {API_PORT} {REGISTRY_PORT} 53")


def check_remains() -> Check:
    return Check("ports", "will do", "used by an earlier run of this lab, which is stopped first")


def check_addresses(lab: Lab) -> Check:
    routes = net.host_routes(lab.bridge) if find("ip") else []
    met = overlapping(lab.index, routes)
    if met:
        words = "this machine has routes to " + ", ".join(map(str, met))
        return Check("addresses", "missing", f"{words}; a lab with another --name gets other addresses")
    return Check("addresses", "ok", f"{lab.subnet}, pods {lab.pods}, services {lab.services}")


def table(lines: Sequence[Check]) -> str:
    """The table as text."""
    width = max(len(line.what) for line in lines)
    return "\n".join(f"  {line.what:<{width}}  {line.state:<7}  {line.words}".rstrip() for line in lines)


def failed(lines: Sequence[Check]) -> list[Check]:
    return [line for line in lines if line.state == "missing"]
