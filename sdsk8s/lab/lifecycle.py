"""Up, down and status of a lab. Each of them may be called in any state that the machine can be in."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sdsk8s.errors import RefusedError, SdsError, WaitError
from sdsk8s.lab import (
    cgroups,
    configs,
    images,
    mounts,
    net,
    objects,
    packages,
    pki,
    plan,
    preflight,
    programs,
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
    with guard(name):
        lab = choose(name, nodes)
        if running(lab):
            say(f"lab {name} is up already")
            return lab
        mend = supervise.alive(lab) and same_shape(lab) and net.exists(lab)
        if mend:
            mend_parts(lab, say)
            return lab
        clean(lab, say, grace=GRACE)
        lines = preflight.checks(lab)
        say("before anything is touched:\n" + preflight.table(lines))
        if preflight.failed(lines):
            raise RefusedError(
                "this machine cannot run the lab as it is; nothing was changed",
                words="\n".join(f"{line.what}: {line.words}" for line in preflight.failed(lines)),
                next=f"mend these, then: sdsk8s lab up --name {name}",
            )
        start(lab, say)
    return lab


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


def render(lab: Lab) -> dict[Path, str]:
    """All configuration files of the lab, for this machine."""
    resolv = Path("/etc/resolv.conf")
    forward = resolv.exists() and any(
        line.split()[:1] == ["nameserver"] for line in resolv.read_text().splitlines()
    )
    found = configs.files(lab, packages.cni_folder() or configs.CNI_FOLDERS[0], net.mtu(), forward)
    system = {name: find(name) or name for name in packages.PROGRAMS}
    binaries = programs.Binaries(tools.folder(), system, sys.executable)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    open_files = 65536 if limit == resource.RLIM_INFINITY else min(limit, 65536)
    found[lab.etc / "supervisord.conf"] = programs.supervisord_conf(
        lab, programs.programs(lab, binaries), open_files
    )
    return found


def fingerprint(files: dict[Path, str]) -> str:
    text = "\0".join(f"{path}\0{content}" for path, content in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def same_shape(lab: Lab) -> bool:
    """Whether what runs was started from the configuration that would be written now."""
    return record.fingerprint(lab) == fingerprint(render(lab))


def running(lab: Lab) -> bool:
    parts = supervise.parts(lab)
    if not parts or any(part.state != "RUNNING" for part in parts):
        return False
    return same_shape(lab) and net.exists(lab) and Api(lab).ready()


def mend_parts(lab: Lab, say: Say) -> None:
    """Some parts are down or the API is not ready yet: start those, wait for all."""
    names = [
        part.name for part in supervise.parts(lab) if part.state not in ("RUNNING", "STARTING", "BACKOFF")
    ]
    say("starting " + (", ".join(names) or "nothing; waiting for all parts"))
    supervise.begin(lab, names)
    wait_ready(lab, say)


def start(lab: Lab, say: Say) -> None:
    """From nothing to a cluster whose nodes are Ready."""
    missing = packages.missing()
    if missing:
        packages.install(missing, say)
    tools.ensure(say)
    record.save(lab)
    lab.state.chmod(0o711)
    for folder in (lab.run, lab.logs, lab.state / "etcd", lab.state / "registry"):
        folder.mkdir(parents=True, exist_ok=True)
    (lab.state / "etcd").chmod(0o700)
    try:
        pki.ensure(lab)
        shutil.rmtree(lab.etc, ignore_errors=True)
        files = render(lab)
        for path, text in files.items():
            write(path, text)
        say(f"network: bridge {lab.bridge}, namespaces of {', '.join(node.name for node in lab.nodes)}")
        net.up(lab)
        mounts.up(lab)
        for node in lab.nodes:
            cgroups.create(f"{lab.cgroup}/{node.name}")
        cgroups.create(f"{lab.cgroup}/docker")
        say("starting all parts under supervisord")
        supervise.start(lab)
        # From here on an interrupted `up` is gone on with instead of begun again.
        record.save(lab, fingerprint(files))
        wait_ready(lab, say)
    except KeyboardInterrupt:
        say("interrupted: taking down what was started")
        clean(lab, say, grace=0)
        raise


def wait_ready(lab: Lab, say: Say) -> None:
    """Registry and its images, API server, first objects, nodes, volumes, dockerd."""
    wait_for(lambda: port_open(lab.registry), 30, "the registry", lab, "registry")
    images.ensure(lab.registry, say)
    api = Api(lab)
    wait_for(api.ready, 90, "the API server", lab, "apiserver")
    say("API server ready")
    wait_for(lambda: bootstrapped(api), 30, "the first objects", lab, "apiserver")
    wait_for(
        lambda: nodes_ready(api, kubelet_starts(lab)) >= {node.name for node in lab.nodes},
        90,
        "the nodes",
        lab,
        "node1-kubelet",
    )
    forget_nodes(api, lab)
    say(", ".join(node.name for node in lab.nodes) + " Ready")
    wait_for(lambda: free_volumes(api) > 0, 30, "free volumes", lab, "volumes")
    wait_for(lab.docker_socket.exists, 30, "dockerd", lab, "docker")
    wait_for(
        lambda: all(part.state == "RUNNING" for part in supervise.parts(lab)), 30, "all parts", lab, "PART"
    )


def wait_for(done: Callable[[], bool], seconds: float, what: str, lab: Lab, part: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            file = lab.logs / f"{part}.log"
            words = "\n".join(file.read_text(errors="replace").splitlines()[-8:]) if file.exists() else ""
            raise WaitError(
                f"waited {seconds:.0f} s for {what}",
                target=f"lab {lab.name}",
                words=words,
                next=f"sdsk8s lab logs {part} --name {lab.name}",
            )
        time.sleep(0.1)


def port_open(address: str) -> bool:
    import socket

    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def bootstrapped(api: Api) -> bool:
    """Apply the first objects; a server that has only just begun may refuse for a moment."""
    try:
        for path, obj in objects.bootstrap():
            api.apply(path, obj)
    except SdsError:
        return False
    return True


def kubelet_starts(lab: Lab) -> dict[str, float]:
    """When each node's kubelet was started, in seconds of the epoch."""
    now = time.time()
    suffix = "-kubelet"
    return {
        part.name.removesuffix(suffix): now - part.uptime
        for part in supervise.parts(lab)
        if part.name.endswith(suffix)
    }


def nodes_ready(api: Api, since: dict[str, float]) -> set[str]:
    """Names of nodes that are Ready by the word of their present kubelet (`since`: when it was started).

    After a restart the cluster still holds what the kubelet said before.
    """
    try:
        items = api.request("GET", "/api/v1/nodes")["items"]
    except SdsError:
        return set()
    return {item["metadata"]["name"] for item in items if is_ready(item, since.get(item["metadata"]["name"]))}


def is_ready(node: dict[str, Any], since: float | None) -> bool:
    for one in node.get("status", {}).get("conditions", []):
        if one["type"] == "Ready" and since is not None:
            beat = datetime.datetime.fromisoformat(one["lastHeartbeatTime"]).timestamp()
            # Both clocks count whole seconds.
            return bool(one["status"] == "True" and beat >= since - 1)
    return False


def forget_nodes(api: Api, lab: Lab) -> None:
    """Nodes of a larger shape that the lab had before."""
    for item in api.request("GET", "/api/v1/nodes")["items"]:
        if item["metadata"]["name"] not in {node.name for node in lab.nodes}:
            api.request("DELETE", f"/api/v1/nodes/{item['metadata']['name']}")


def free_volumes(api: Api) -> int:
    try:
        items = api.request("GET", "/api/v1/persistentvolumes")["items"]
    except SdsError:
        return 0
    return sum(1 for item in items if item.get("status", {}).get("phase") == "Available")


def down(name: str, purge: bool, say: Say) -> None:
    """Stop everything and leave nothing behind but the state folder; with `purge` not even that."""
    with guard(name):
        if record.exists(name):
            clean(record.load(plan.STATE_ROOT / name), say, grace=0 if purge else GRACE)
        else:
            # Perhaps the record is lost but something still runs: names alone say what belongs to the lab.
            clean(Lab(name, 0, 1, plan.STATE_ROOT / name), say, grace=0)
        if purge:
            shutil.rmtree(plan.STATE_ROOT / name, ignore_errors=True)
            say(f"lab {name}: state dropped")
    if purge:
        (plan.STATE_ROOT / f".{name}.lock").unlink(missing_ok=True)


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
            f"processes of lab {lab.name} do not end",
            words=str(sorted(stayed)),
            next=f"sdsk8s lab down --name {lab.name}",
        )
    left = [str(path) for path in mounts.down(lab)]
    net.down(lab)
    left += [str(path) for path in cgroups.remove(lab.cgroup)]
    if left:
        raise SdsError(
            f"lab {lab.name} left something behind",
            words="\n".join(left),
            next=f"sdsk8s lab down --name {lab.name}",
        )
    shutil.rmtree(lab.run, ignore_errors=True)


def status(name: str) -> dict[str, Any]:
    """For `-o json`: lab, state (up, partly, down), addresses, nodes, parts."""
    lab = record.load(plan.STATE_ROOT / plan.check_name(name))
    parts = supervise.parts(lab)
    up_count = sum(1 for part in parts if part.state == "RUNNING")
    ready = nodes_ready(Api(lab), kubelet_starts(lab)) if parts else set()
    whole = bool(parts) and up_count == len(parts) and ready >= {node.name for node in lab.nodes}
    return {
        "lab": lab.name,
        "state": "up" if whole else "partly" if parts else "down",
        "api": lab.server,
        "registry": lab.registry,
        "docker": f"unix://{lab.docker_socket}",
        "kubeconfig": str(lab.kubeconfig),
        "nodes": [{"name": n.name, "address": n.address, "ready": n.name in ready} for n in lab.nodes],
        "parts": [{"part": p.name, "state": p.state, "pid": p.pid, "uptime": p.uptime} for p in parts],
    }
