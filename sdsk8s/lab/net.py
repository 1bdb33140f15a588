"""The lab's network: a bridge on the host, one network namespace per host on it, routes and five iptables rules.

Hosts are nodes today; anything with an address on the bridge can be added with `add_host`.
"""

from __future__ import annotations

import json
import re
import shlex
from ipaddress import IPv4Network
from pathlib import Path

from sdsk8s.lab.plan import Lab, Node
from sdsk8s.lab.shell import find, run

NETNS = Path("/run/netns")


def mtu() -> int:
    """MTU of the default route's device (at most 1500), so that pods' packets leave the machine whole."""
    for route in json.loads(run("ip", "-j", "-4", "route", "show", "default").stdout or "[]"):
        path = Path("/sys/class/net") / route.get("dev", "") / "mtu"
        if path.exists():
            return min(1500, int(path.read_text()))
    return 1500


def host_routes(skip_device: str = "") -> list[IPv4Network]:
    """Networks that the host has routes to, without those of one device."""
    found = []
    for route in json.loads(run("ip", "-j", "-4", "route").stdout or "[]"):
        if route.get("dst") not in (None, "default") and route.get("dev") != skip_device:
            found.append(IPv4Network(route["dst"], strict=False))
    return found


INOTIFY_INSTANCES = 1024


def up(lab: Lab) -> None:
    """Make bridge, namespaces, routes and rules. Expects nothing of the lab to exist (see `down`)."""
    size = str(mtu())
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _raise_inotify_limit()
    run("ip", "link", "add", lab.bridge, "mtu", size, "type", "bridge")
    run("ip", "address", "add", f"{lab.address}/24", "dev", lab.bridge)
    run("ip", "link", "set", lab.bridge, "up")
    # Address conflict checks for IPv6 would delay nothing but use the link; the lab is IPv4 only.
    disable_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{lab.bridge}/disable_ipv6")
    if disable_ipv6.exists():
        disable_ipv6.write_text("1")
    for node in lab.nodes:
        add_host(lab, node.netns, node.veth, node.address, size)
    add_routes(lab)
    for table, words in rules(lab):
        run("iptables", "-w", "-t", table, "-I", *words, "-m", "comment", "--comment", lab.mark)


def _raise_inotify_limit() -> None:
    """A node's programs hold a dozen watches each; the usual 128 per user end with the third lab, in the kubelet."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY_INSTANCES:
        limit.write_text(str(INOTIFY_INSTANCES))


def add_host(lab: Lab, netns: str, veth: str, address: str, size: str) -> None:
    """A namespace on the bridge: eth0 with the address, default route to the host."""
    inside = ("nsenter", f"--net={NETNS / netns}", "ip")
    run("ip", "netns", "add", netns)
    run(
        "ip",
        "link",
        "add",
        veth,
        "mtu",
        size,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "mtu",
        size,
        "netns",
        netns,
    )
    run("ip", "link", "set", veth, "master", lab.bridge, "up")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "add", f"{address}/24", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "route", "add", "default", "via", lab.address)
    run("nsenter", f"--net={NETNS / netns}", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")


def add_routes(lab: Lab) -> None:
    """Every host of the bridge reaches every node's pods; the machine itself reaches services through node1."""
    for node in lab.nodes:
        run("ip", "route", "add", node.pods, "via", node.address)
        for other in lab.nodes:
            if other != node:
                run(
                    "nsenter",
                    f"--net={NETNS / node.netns}",
                    "ip",
                    "route",
                    "add",
                    other.pods,
                    "via",
                    other.address,
                )
    run("ip", "route", "add", lab.services, "via", lab.nodes[0].address)


def rules(lab: Lab) -> list[tuple[str, list[str]]]:
    """(table, words after -I). Firewalls that drop by default must let the lab's own bridge through."""
    return [
        ("filter", ["FORWARD", "-i", lab.bridge, "-j", "ACCEPT"]),
        ("filter", ["FORWARD", "-o", lab.bridge, "-j", "ACCEPT"]),
        ("filter", ["INPUT", "-i", lab.bridge, "-j", "ACCEPT"]),
        ("nat", ["POSTROUTING", "-s", lab.subnet, "!", "-o", lab.bridge, "-j", "MASQUERADE"]),
        ("nat", ["POSTROUTING", "-s", lab.pods, "!", "-o", lab.bridge, "-j", "MASQUERADE"]),
    ]


def marked(saved: str, mark: str) -> list[tuple[str, list[str]]]:
    """Rules with this comment in the words of iptables-save: (table, words after -D)."""
    found: list[tuple[str, list[str]]] = []
    table = ""
    for line in saved.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith("-A ") and re.search(rf'--comment "?{re.escape(mark)}"?(\s|$)', line):
            found.append((table, shlex.split(line)[1:]))
    return found


def down(lab: Lab) -> None:
    """Remove whatever exists of the lab's network; parts that do not exist are skipped."""
    # On a bare machine this runs before the packages are installed: no program, no rule.
    if find("iptables-save") and run("iptables-save", check=False).stdout:
        for table, words in marked(run("iptables-save").stdout, lab.mark):
            run("iptables", "-w", "-t", table, "-D", *words, check=False)
    if NETNS.is_dir():
        for file in NETNS.iterdir():
            if file.name.startswith(lab.netns_prefix):
                run("ip", "netns", "delete", file.name, check=False)
                file.unlink(missing_ok=True)  # a plain file: the machine was restarted, the mount is gone
    for device in Path("/sys/class/net").iterdir():
        if device.name.startswith(f"sv-{lab.name}-"):
            run("ip", "link", "delete", device.name, check=False)
    if Path("/sys/class/net", lab.bridge).exists():
        run("ip", "link", "delete", lab.bridge, check=False)
    # `ip netns` mounts its folder onto itself at first use; the last lab takes that along.
    if NETNS.is_dir() and not any(NETNS.iterdir()) and NETNS.is_mount():
        run("umount", NETNS, check=False)


def exists(lab: Lab) -> bool:
    """Whether bridge and namespaces are all there."""
    return Path("/sys/class/net", lab.bridge).exists() and all(present(node) for node in lab.nodes)


def present(node: Node) -> bool:
    return (NETNS / node.netns).exists() and Path("/sys/class/net", node.veth).exists()
