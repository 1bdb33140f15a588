"""Up, down and status of a lab. Each of them may be called in any state that the machine can be in."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sdsk8s.errors import RefusedError, SdsError
from sdsk8s.lab import (
    cgroups,
    configs,
    images,
    mounts,
    net,
    packages,
    pki,
    plan,
    preflight,
    programs,
    ready,
    record,
    supervise,
    tools,
)
from sdsk8s.lab.api import Api
from sdsk8s.lab.plan import Lab
from sdsk8s.lab.shell import find, write

Say = Callable[[str], None]
# Seconds that containers get between TERM and KILL when the lab goes down.
GRACE = 10.0


def up(name: str, nodes: int | None, say: Say) -> Lab:
    """Bring the lab up, from whatever state it is in. `nodes` None: as before, or what fits the machine."""
    plan.check_name(name)
    if os.geteuid() != 0:
        check(choose(name, nodes), say)
    with guard(name):
        lab = choose(name, nodes)
        if supervise.alive(lab) and same_shape(lab) and net.exists(lab):
            mend(lab, say)
            return lab
        check(lab, say)
        clean(lab, say, grace=GRACE)
        return start(lab, say)


def check(lab: Lab, say: Say) -> None:
    """Show the preflight table; RefusedError when something is missing."""
    lines = preflight.checks(lab, remains=bool(cgroups.pids(lab.cgroup)))
    say("before anything is touched:\n" + preflight.table(lines))
    failed = preflight.failed(lines)
    if failed:
        raise RefusedError(
            "this machine cannot run the lab yet; nothing was changed",
            words="\n".join(f"{line.what}: {line.words}" for line in failed),
            next=f"fix the lines marked missing, then: sdsk8s lab up --name {lab.name}",
        )


def choose(name: str, nodes: int | None) -> Lab:
    """The lab of this name with the wanted nodes; a new one gets an index. Nothing is written."""
    plan.check_name(name)
    if nodes is not None:
        plan.check_nodes(nodes)
    state = plan.STATE_ROOT / name
    if record.exists(name):
        known = record.load(state)
        return Lab(name, known.index, nodes or known.node_count, state)
    count = nodes or plan.default_nodes(preflight.memory(), os.cpu_count() or 1)
    routes = net.host_routes() if find("ip") else []
    index = plan.allot(name, record.taken().values(), lambda i: bool(plan.overlapping(i, routes)))
    return Lab(name, index, count, state)


@contextlib.contextmanager
def guard(name: str) -> Iterator[None]:
    """One up or down per lab at a time."""
    plan.check_name(name)
    try:
        with tools.locked(plan.STATE_ROOT / f".{name}.lock"):
            yield
    except PermissionError as err:
        raise RefusedError("a lab needs root", words=str(err), next="sudo sdsk8s lab up") from err


def render(lab: Lab, python: str, open_files: int) -> dict[Path, str]:
    """All configuration files of the lab, for this machine."""
    resolv = Path("/etc/resolv.conf")
    forward = resolv.exists() and any(line.split()[:1] == ["nameserver"] for line in resolv.read_text().splitlines())
    found = configs.files(lab, packages.cni_folder() or configs.CNI_FOLDERS[0], net.mtu(), forward)
    system = {name: find(name) or name for name in packages.PROGRAMS}
    binaries = programs.Binaries(tools.folder(), system, python)
    found[lab.etc / "supervisord.conf"] = programs.supervisord_conf(lab, programs.programs(lab, binaries), open_files)
    return found


def open_files_limit() -> int:
    """supervisord refuses to start when it cannot have as many as it was told."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65536 if limit == resource.RLIM_INFINITY else min(limit, 65536)


def shape(lab: Lab) -> str:
    """Fingerprint of the configuration, without what differs between callers (checkout, limits of a shell)."""
    return fingerprint(render(lab, "python", 0))


def fingerprint(files: dict[Path, str]) -> str:
    text = "\0".join(f"{path}\0{content}" for path, content in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def same_shape(lab: Lab) -> bool:
    """Whether what runs was started from the configuration that would be written now."""
    return record.fingerprint(lab) == shape(lab)


def mend(lab: Lab, say: Say) -> None:
    """The lab runs: start what does not, wait for what is not ready; nothing to do is the usual case."""
    parts = supervise.parts(lab)
    if all(part.state == "RUNNING" for part in parts) and Api(lab).ready():
        say(f"lab {lab.name} is up already")
        return
    names = [part.name for part in parts if part.state not in ("RUNNING", "STARTING", "BACKOFF")]
    say("starting " + (", ".join(names) or "nothing; waiting for all parts"))
    supervise.begin(lab, names)
    ready.wait_ready(lab, say)


def start(lab: Lab, say: Say) -> Lab:
    """From nothing to a cluster whose nodes are Ready. Returns the lab as it was recorded."""
    missing = packages.missing()
    if missing:
        packages.install(missing, say)
    tools.ensure(say)
    lab = reserve(lab, say)
    lab.state.chmod(0o711)
    lab.run.mkdir(parents=True, exist_ok=True)
    # Objects, images, logs and volumes may hold secrets; only the sockets in `run` are for others.
    for name in ("etcd", "registry", "logs", "volumes", "hosts", "docker-containerd"):
        (lab.state / name).mkdir(exist_ok=True)
        (lab.state / name).chmod(0o700)
    try:
        pki.ensure(lab)
        shutil.rmtree(lab.etc, ignore_errors=True)
        for path, text in render(lab, sys.executable, open_files_limit()).items():
            write(path, text)
        say(f"network: bridge {lab.bridge}, namespaces of {', '.join(node.name for node in lab.nodes)}")
        net.up(lab)
        mounts.up(lab)
        for node in lab.nodes:
            cgroups.create(f"{lab.cgroup}/{node.name}")
        cgroups.create(f"{lab.cgroup}/docker")
        say("starting all parts under supervisord")
        supervise.start(lab)
        # From here on an `up` that was killed is gone on with instead of begun again.
        record.save(lab, shape(lab))
        ready.wait_ready(lab, say)
    except KeyboardInterrupt:
        say("interrupted: stopping the started parts")
        clean(lab, say, grace=0)
        raise
    return lab


def reserve(lab: Lab, say: Say) -> Lab:
    """The lab with its addresses written down: the next free ones, when another lab has taken these meanwhile."""
    with tools.locked(tools.cache() / "addresses.lock"):
        found = choose(lab.name, lab.node_count)
        if found != lab:
            check(found, say)
        record.save(found)
    return found


def down(name: str, purge: bool, say: Say) -> bool:
    """Stop everything and leave nothing behind but the state folder; with `purge` not even that.

    Returns whether there was such a lab.
    """
    with guard(name):
        known = record.exists(name)
        if known:
            clean(record.load(plan.STATE_ROOT / name), say, grace=0 if purge else GRACE)
        else:
            # Perhaps the record is lost but something still runs: names alone say what belongs to the lab.
            clean(Lab(name, 0, 1, plan.STATE_ROOT / name), say, grace=0)
        if purge:
            shutil.rmtree(plan.STATE_ROOT / name, ignore_errors=True)
            say(f"lab {name}: state deleted")
    if purge:
        (plan.STATE_ROOT / f".{name}.lock").unlink(missing_ok=True)
    return known


def clean(lab: Lab, say: Say, grace: float) -> None:
    """End and remove all that runs or is left of the lab: parts, containers, mounts, network, groups, sockets."""
    if supervise.alive(lab):
        say("stopping the lab's parts and pods")
        names = [part.name for part in supervise.parts(lab)]
        supervise.stop(lab, [name for name in names if name.endswith("-kubelet")])
        cgroups.end_containers(lab.cgroup, grace)
        # The API server ends quickly only while its etcd still answers.
        supervise.stop(lab, [name for name in names if name != "etcd"])
        supervise.stop(lab, ["etcd"])
        supervise.shutdown(lab)
    stayed = cgroups.kill(lab.cgroup)
    if stayed:
        raise SdsError(
            f"some processes of lab {lab.name} cannot be stopped",
            words=str(sorted(stayed)),
            next=f"sdsk8s lab down --name {lab.name}",
        )
    left = [str(path) for path in mounts.down(lab)]
    net.down(lab)
    left += [str(path) for path in cgroups.remove(lab.cgroup)]
    if left:
        raise SdsError(
            f"lab {lab.name} could not be removed completely",
            words="\n".join(left),
            next=f"sdsk8s lab down --name {lab.name}",
        )
    shutil.rmtree(lab.run, ignore_errors=True)


def status(name: str) -> dict[str, Any]:
    """For `-o json`: lab, state (up, partly, down), addresses, nodes, parts."""
    lab = record.load(plan.STATE_ROOT / plan.check_name(name))
    parts = supervise.parts(lab)
    up_count = sum(1 for part in parts if part.state == "RUNNING")
    good = ready.nodes_ready(Api(lab), ready.kubelet_starts(lab)) if parts else set()
    whole = bool(parts) and up_count == len(parts) and good >= {node.name for node in lab.nodes}
    return {
        "lab": lab.name,
        "state": "up" if whole else "partly" if parts else "down",
        "api": lab.server,
        "registry": lab.registry,
        "docker": f"unix://{lab.docker_socket}",
        "kubeconfig": str(lab.kubeconfig),
        "base_image": f"{lab.registry}/{images.BASE_IMAGE}",
        "tools": str(tools.folder()),
        "nodes": [{"name": n.name, "address": n.address, "ready": n.name in good} for n in lab.nodes],
        "parts": [{"part": p.name, "state": p.state, "pid": p.pid, "uptime": p.uptime} for p in parts],
    }
