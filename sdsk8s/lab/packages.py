"""Debian packages that the lab runs: which are missing, and their installation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sdsk8s.errors import RefusedError
from sdsk8s.lab import tools
from sdsk8s.lab.configs import CNI_FOLDERS
from sdsk8s.lab.shell import find, run

# Program -> package.
PROGRAMS = {
    "containerd": "containerd",
    "runc": "runc",
    "etcd": "etcd-server",
    "docker-registry": "docker-registry",
    "dockerd": "docker.io",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
}
CNI_PACKAGE = "containernetworking-plugins"
POLICY = Path("/usr/sbin/policy-rc.d")


def cni_folder() -> str | None:
    """Where the CNI plugins are, or None."""
    for folder in CNI_FOLDERS:
        if (Path(folder) / "bridge").exists():
            return folder
    return None


def missing() -> list[str]:
    """Packages whose programs are not there."""
    lacking = {package for program, package in PROGRAMS.items() if find(program) is None}
    if cni_folder() is None:
        lacking.add(CNI_PACKAGE)
    return sorted(lacking)


def install(packages: list[str], say: Callable[[str], None]) -> None:
    """apt-get install, without starting the services that come along (they would take the lab's ports)."""
    if find("apt-get") is None:
        raise RefusedError(
            "packages are missing, and this system is not Debian",
            words=" ".join(packages),
            next="install these programs yourself: " + ", ".join(sorted(PROGRAMS)),
        )
    say("installing packages (their services are not started): " + " ".join(packages))
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with turn(), services_stay_off():
        run("apt-get", "update", "-q", env=env)
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages, env=env, timeout=1800)


def turn() -> AbstractContextManager[None]:
    """One installation at a time: apt-get does not wait for another one, it fails."""
    return tools.locked(tools.cache() / "packages.lock")


@contextmanager
def services_stay_off() -> Iterator[None]:
    """Debian asks policy-rc.d before it starts a service; an own answer of the machine is left alone."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
