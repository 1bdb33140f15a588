"""Control groups of a lab: everything of it runs below /sdsk8s-<name>, and by that it is found and ended.

Version 1 has one tree per controller, version 2 one tree. Paths are the same below each tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def parse_mounts(text: str) -> list[Path]:
    """Mount points of all cgroup trees in the words of /proc/mounts: version 1 controllers, or the one of 2.

    In the hybrid layout the version 2 tree holds no controllers; it is listed as well, since some runtimes
    make groups there too.
    """
    found: list[Path] = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] in ("cgroup", "cgroup2"):
            path = Path(fields[1])
            if path not in found:
                found.append(path)
    return found


def trees() -> list[Path]:
    return parse_mounts(Path("/proc/mounts").read_text())


def unified() -> bool:
    """Whether this machine uses version 2 only."""
    return (ROOT / "cgroup.controllers").exists()


def create(group: str) -> None:
    """Make a group in every tree, ready to hold processes or further groups."""
    for tree in trees():
        if not unified() and (tree / "cgroup.controllers").exists():
            continue  # hybrid: no controllers there, nothing to limit
        path = tree
        for part in Path(group.strip("/")).parts:
            parent, path = path, path / part
            path.mkdir(exist_ok=True)
            inherit(parent, path)


def inherit(parent: Path, child: Path) -> None:
    """What a new group does not get by itself: cpusets in version 1, enabled controllers in version 2."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        source, target = parent / name, child / name
        if not unified() and source.exists() and not target.read_text().strip():
            target.write_text(source.read_text())
    control = parent / "cgroup.subtree_control"
    if unified() and control.exists():
        for controller in (parent / "cgroup.controllers").read_text().split():
            # A controller that the parent cannot hand on (threaded, or in use by processes) is left out.
            with contextlib.suppress(OSError):
                control.write_text(f"+{controller}")


def entry_files(group: str) -> list[Path]:
    """Files that a process writes its pid to in order to enter the group."""
    files = [tree / group.strip("/") / "cgroup.procs" for tree in trees()]
    return [file for file in files if file.exists()]


def pids(group: str) -> set[int]:
    """All processes in the group or below it, in any tree."""
    found: set[int] = set()
    for tree in trees():
        for folder, _, files in os.walk(tree / group.strip("/")):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found.update(int(word) for word in Path(folder, "cgroup.procs").read_text().split())
    found.discard(0)  # a process of a foreign pid namespace
    return found


def container_inits(group: str) -> set[int]:
    """Processes of the group that are pid 1 of a pid namespace: what a container runtime would signal."""
    inits: set[int] = set()
    for pid in pids(group):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                words = line.split()
                if words and words[0] == "NSpid:" and len(words) > 2 and words[-1] == "1":
                    inits.add(pid)
    return inits


def send(targets: set[int], number: signal.Signals) -> None:
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_containers(group: str, grace: float) -> None:
    """Ask all containers of the group to end, and wait up to `grace` seconds until they have."""
    send(container_inits(group), signal.SIGTERM)
    deadline = time.monotonic() + grace
    while container_inits(group) and time.monotonic() < deadline:
        time.sleep(0.1)


def kill(group: str, timeout: float = 20) -> set[int]:
    """SIGKILL everything in the group until nothing is left; returns what could not be ended."""
    deadline = time.monotonic() + timeout
    left = pids(group)
    while left and time.monotonic() < deadline:
        send(left, signal.SIGKILL)
        time.sleep(0.05)
        left = pids(group)
    return left


def remove(group: str) -> list[Path]:
    """Remove the group and those below it from all trees; returns what stayed (busy)."""
    stayed: list[Path] = []
    for tree in trees():
        for folder, _, _ in os.walk(tree / group.strip("/"), topdown=False):
            for attempt in range(20):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    # The kernel lets go of a group a moment after its last process is reaped.
                    if attempt == 19:
                        stayed.append(Path(folder))
                    time.sleep(0.05)
    return stayed
