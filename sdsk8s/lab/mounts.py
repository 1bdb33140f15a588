"""Mount namespaces of the lab's hosts.

A node sees the machine's files, but /var/lib/kubelet, /run/containerd, /var/log/containers and the like are
its own: several nodes and the machine's own containerd do not meet, and all mounts of a node vanish with it.
"""

from __future__ import annotations

from pathlib import Path

from sdsk8s.lab.plan import Lab
from sdsk8s.lab.shell import run

DOCKER_HOST = "docker"
# Folders that are empty at each start ...
FRESH = ("/run/netns", "/run/containerd", "/var/lib/cni", "/run/docker")
# ... and folders that stay in the lab's state.
KEPT = {"/var/lib/kubelet": "kubelet", "/var/log/containers": "containers"}


def hosts(lab: Lab) -> list[str]:
    return [*(node.name for node in lab.nodes), DOCKER_HOST]


def up(lab: Lab) -> None:
    folder = lab.run / "ns"
    folder.mkdir(parents=True, exist_ok=True)
    # A mount namespace can be kept in a file only on a mount that is not shared.
    run("mount", "--bind", folder, folder)
    run("mount", "--make-private", folder)
    for host in hosts(lab):
        add_host(lab, host)


def add_host(lab: Lab, host: str) -> None:
    """A mount namespace kept in <run>/ns/<host>: follows new mounts of the machine, hands none back."""
    file = lab.mount_namespace(host)
    file.touch()
    script = ["mount --make-rshared /"]
    for path in FRESH:
        Path(path).mkdir(parents=True, exist_ok=True)
        script.append(f"mount -t tmpfs -o mode=755,size=64m sdsk8s-lab {path}")
    for path, name in KEPT.items():
        own = lab.state / "hosts" / host / name
        own.mkdir(parents=True, exist_ok=True)
        Path(path).mkdir(parents=True, exist_ok=True)
        script.append(f"mount --bind {own} {path}")
    run("unshare", f"--mount={file}", "--propagation", "slave", "sh", "-ec", "\n".join(script))


def enter(lab: Lab, host: str, netns: str | None) -> list[str]:
    """Words in front of a command that shall run on this host."""
    words = ["nsenter", f"--mount={lab.mount_namespace(host)}"]
    if netns:
        words.append(f"--net=/run/netns/{netns}")
    return [*words, "--"]


def below(mounts: str, folder: Path) -> list[Path]:
    """Mount points at or below a folder in the words of /proc/mounts, deepest first."""
    points = [line.split()[1].replace("\\040", " ") for line in mounts.splitlines() if " " in line]
    inside = [Path(point) for point in points if Path(point).is_relative_to(folder)]
    return sorted(inside, key=lambda path: (len(path.parts), str(path)), reverse=True)


def down(lab: Lab) -> list[Path]:
    """Unmount all below the lab's state; returns what stayed."""
    for _ in range(3):
        for point in below(Path("/proc/mounts").read_text(), lab.state):
            if run("umount", point, check=False).returncode != 0:
                run("umount", "--lazy", point, check=False)
    return below(Path("/proc/mounts").read_text(), lab.state)
