"""The lab from outside: the command line, kubectl, and what the machine shows afterwards.

Runs labs of its own (`life`, `life2`, one node each) next to whatever else runs on the machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import as_published, at_most

from sdsk8s.lab import cgroups, mounts, plan, record, tools
from sdsk8s.lab.plan import Lab

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="a lab needs root"),
]

NAME = "life"
WORKLOAD = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: keeper}
spec:
  serviceName: keeper
  selector: {matchLabels: {app: keeper}}
  template:
    metadata: {labels: {app: keeper}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: main
        image: REGISTRY/debian:12-slim
        securityContext:
          readOnlyRootFilesystem: true
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
        command: [perl, -MIO::Socket::INET, -e]
        args:
        - |
          $SIG{TERM} = sub { exit };
          open(F, ">>", "/data/lives"); print F "life\\n"; close F;
          $s = IO::Socket::INET->new(LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die;
          while ($c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhello\\n"; close $c }
        ports: [{containerPort: 8000}]
        readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 2Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: keeper}
spec: {type: NodePort, selector: {app: keeper}, ports: [{port: 80, targetPort: 8000, nodePort: 30088}]}
"""


def sdsk8s(*words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """`sdsk8s lab WORDS`, with its exit code checked."""
    command = [sys.executable, "-c", "from sdsk8s.cli.main import main; main()", "lab", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def try_kubectl(*words: str, stdin: str | None = None, name: str = NAME) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "KUBECONFIG": str(plan.STATE_ROOT / name / "kubeconfig")}
    command = [str(tools.folder() / "kubectl"), *words]
    return subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, timeout=120, check=False)


def kubectl(*words: str, stdin: str | None = None, name: str = NAME) -> str:
    done = try_kubectl(*words, stdin=stdin, name=name)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def lab(name: str = NAME) -> Lab:
    return record.load(plan.STATE_ROOT / name)


def status(name: str = NAME, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sdsk8s("status", "--name", name, "-o", "json", code=code).stdout)
    as_published("lab-status", found)
    return found


def part_pids(name: str = NAME) -> dict[str, int]:
    return {part["part"]: part["pid"] for part in status(name)["parts"]}


def until(done: Callable[[], bool], seconds: float, what: str) -> None:
    begun = time.monotonic()
    while not done():
        assert time.monotonic() - begun < at_most(seconds), f"waited {time.monotonic() - begun:.0f} s for {what}"
        time.sleep(0.2)


def output(*words: str) -> list[str]:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


def traces(one: Lab) -> list[str]:
    """Everything on the machine that belongs to this lab, except for its state folder."""
    marks = (
        one.bridge,
        f"sv-{one.name}-",
        one.netns_prefix,
        one.mark,
        f"{one.address}/",
        one.pods[:-4],
        one.services,
        one.address.rsplit(".", 1)[0] + ".",
        str(one.state) + "/",
        one.cgroup + "/",
    )
    seen = [
        *output("ip", "-o", "link"),
        *output("ip", "-o", "address"),
        *output("ip", "route"),
        *output("ip", "netns"),
        *output("iptables-save"),
        *Path("/proc/mounts").read_text().splitlines(),
        *(f"{path}/" for tree in cgroups.trees() for path in tree.glob("*/")),
        *(f"{path} {link(path)}" for path in Path("/proc").glob("[0-9]*/ns/mnt") if is_in(path, one)),
    ]
    own = {str(os.getpid()), str(os.getppid())}
    for process in output("ps", "-eo", "pid,args"):
        if str(one.state) + "/" in process and process.split()[0] not in own:
            seen.append(process)
    return [line for line in seen if any(mark in line for mark in marks)]


def link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def is_in(path: Path, one: Lab) -> bool:
    """Whether a process sits in one of the lab's mount namespaces."""
    try:
        return f"{one.state}/" in (path.parent.parent / "mountinfo").read_text() and link(path) != link(
            Path("/proc/self/ns/mnt")
        )
    except OSError:
        return False


def machine() -> set[str]:
    """What a lab could leave behind on the machine, without what other labs change meanwhile."""
    seen = {
        *(line.split()[1] for line in output("ip", "-o", "link")),
        *output("ip", "route"),
        *output("ip", "netns"),
        *(line for line in output("iptables-save") if line.startswith("-A")),
        *(str(path) for tree in cgroups.trees() for path in tree.glob("*/")),
        *(str(path) for path in Path("/var/log/containers").glob("*")),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if "overlay" not in line),
    }
    others = [Lab(name, index, 9, Path("/")) for name, index in record.taken().items()]
    foreign = [
        word
        for o in others
        for word in (
            o.bridge,
            f"sv-{o.name}-",
            o.netns_prefix,
            o.mark,
            o.cgroup,
            o.subnet,
            o.services,
            f"10.{244 + o.index}.",
            f"172.30.{o.index}.",
            f"labs/{o.name}/",
        )
    ]
    return {line for line in seen if not any(word in line for word in foreign)}


@pytest.fixture(scope="module", autouse=True)
def leftovers() -> Iterator[None]:
    """Start from nothing; end with nothing."""
    for name in (NAME, "life2"):
        sdsk8s("down", "--purge", "--name", name)
    before = machine()
    yield
    index = record.taken()
    for name in (NAME, "life2"):
        sdsk8s("down", "--purge", "--name", name)
        if name in index:
            assert traces(Lab(name, index[name], 9, plan.STATE_ROOT / name)) == []
        assert not (plan.STATE_ROOT / name).exists()
    assert machine() - before == set()


def lives() -> int:
    return len(kubectl("exec", "keeper-0", "--", "cat", "/data/lives").split())


def settled() -> None:
    """The pod runs, by the word of the present kubelet, and is reached by Service and by exec."""

    def runs() -> bool:
        ready = try_kubectl("get", "pod", "keeper-0", "-o", "jsonpath={.status.containerStatuses[0].ready}")
        return ready.stdout == "true" and answers() and not try_kubectl("exec", "keeper-0", "--", "true").returncode

    until(runs, 60, "the pod")


def answers() -> bool:
    """The Service answers at the node's own address, from the host."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://{lab().nodes[0].address}:30088", timeout=2
        ) as reply:
            return bool(reply.read() == b"hello\n")
    except OSError:
        return False


def test_a_port_in_use_is_told_before_anything_is_touched() -> None:
    before = machine()
    index = plan.allot(NAME, record.taken().values(), lambda i: False)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((f"127.30.{index}.1", 2379))
        taken.listen()
        done = sdsk8s("up", "--name", NAME, code=4)
    assert f"in use: 127.30.{index}.1:2379 (etcd)" in done.stderr
    assert "nothing was changed" in done.stderr
    assert not (plan.STATE_ROOT / NAME).exists()
    assert machine() == before


def test_up_makes_a_cluster_that_runs_pods_with_claims_names_and_node_ports() -> None:
    done = sdsk8s("up", "--name", NAME, "--nodes", "1")
    assert "before anything is touched" in done.stderr
    assert "kubectl get nodes" in done.stdout
    file = Path(sdsk8s("kubeconfig", "--name", NAME).stdout.strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sdsk8s("kubeconfig", "--name", NAME, "--raw").stdout == file.read_text()
    assert "v1.35" in kubectl("get", "nodes")

    kubectl("apply", "-f", "-", stdin=WORKLOAD.replace("REGISTRY", lab().registry))
    kubectl("rollout", "status", "sts/keeper", "--timeout=60s")
    settled()
    assert lives() == 1
    names = kubectl("exec", "keeper-0", "--", "getent", "hosts", "keeper.default.svc.cluster.local", "kubernetes")
    assert lab().api_service in names and len(names.splitlines()) == 2


def test_up_twice_is_quick_and_changes_nothing() -> None:
    before = part_pids()
    begun = time.monotonic()
    done = sdsk8s("up", "--name", NAME)
    assert time.monotonic() - begun < at_most(2)
    assert "is up already" in done.stderr
    assert part_pids() == before


def test_memory_stays_below_a_gigabyte_and_a_half() -> None:
    resident = 0
    for pid in cgroups.pids(lab().cgroup):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                resident += int(line.split()[1])
    assert resident < 1_500_000, f"{resident} kB"


def test_killed_parts_come_back_and_pods_live_on() -> None:
    before = part_pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        now = json.loads(
            subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "from sdsk8s.cli.main import main; main()",
                    "lab",
                    "status",
                    "--name",
                    NAME,
                    "-o",
                    "json",
                ],
                capture_output=True,
                text=True,
                check=False,
            ).stdout
        )
        pids = {part["part"]: part["pid"] for part in now["parts"]}
        return now["state"] == "up" and all(pids[part] != pid for part, pid in before.items())

    until(back, 60, "all parts")
    settled()
    assert lives() == 1, "containers outlive their containerd and kubelet"


def test_two_labs_at_once_do_not_meet() -> None:
    before = part_pids()
    sdsk8s("up", "--name", "life2", "--nodes", "1")
    assert lab("life2").subnet != lab().subnet
    assert "keeper" not in kubectl("get", "pods", name="life2")
    sdsk8s("down", "--purge", "--name", "life2")
    assert part_pids() == before
    settled()


def test_after_sigkill_of_everything_up_starts_again() -> None:
    one = lab()
    assert cgroups.kill(one.cgroup) == set()
    assert status(code=1)["state"] == "down"
    sdsk8s("up", "--name", NAME)
    settled()
    assert lives() == 2
    assert status()["state"] == "up"


def test_after_a_restart_of_the_machine_up_starts_again() -> None:
    """What a restart leaves: files (sockets, pid files, namespace files), but no process, mount, device or group."""
    one = lab()
    cgroups.kill(one.cgroup)
    assert mounts.down(one) == []
    for node in one.nodes:
        subprocess.run(["ip", "netns", "delete", node.netns], check=True)
        Path("/run/netns", node.netns).touch()
    subprocess.run(["ip", "link", "delete", one.bridge], check=True)
    assert cgroups.remove(one.cgroup) == []
    assert one.supervisor_socket.exists()
    sdsk8s("up", "--name", NAME)
    settled()
    assert lives() == 3


@pytest.mark.parametrize("seconds", [0.4, 1.5])
def test_after_up_itself_was_killed_up_goes_on(seconds: float) -> None:
    sdsk8s("down", "--name", NAME)
    command = [sys.executable, "-c", "from sdsk8s.cli.main import main; main()", "lab", "up", "--name", NAME]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as begun:
        time.sleep(seconds)
        begun.kill()
    sdsk8s("up", "--name", NAME)
    settled()


def test_another_number_of_nodes_keeps_the_objects() -> None:
    before = lives()
    sdsk8s("up", "--name", NAME, "--nodes", "2")
    assert kubectl("get", "nodes", "-o", "name").split() == ["node/node1", "node/node2"]
    settled()
    sdsk8s("up", "--name", NAME, "--nodes", "1")
    assert kubectl("get", "nodes", "-o", "name").split() == ["node/node1"]
    settled()
    assert lives() == before + 2


def test_only_supervisord_killed() -> None:
    one, before = lab(), lives()
    os.kill(int((one.run / "supervisord.pid").read_text()), signal.SIGKILL)
    until(lambda: status(code=1)["state"] == "down", 5, "the socket to be dead")
    sdsk8s("up", "--name", NAME)
    settled()
    assert lives() == before + 1


def test_down_leaves_nothing_and_up_finds_the_state_again() -> None:
    one, before = lab(), lives()
    assert traces(one) != []
    sdsk8s("down", "--name", NAME)
    assert traces(one) == []
    assert not one.run.exists()
    assert status(code=1)["state"] == "down"
    sdsk8s("up", "--name", NAME)
    settled()
    assert lives() == before + 1


def test_a_deleted_claims_volume_is_emptied_and_free_again() -> None:
    volume = kubectl("get", "pvc", "data-keeper-0", "-o", "jsonpath={.spec.volumeName}")
    folder = lab().state / "volumes" / volume
    assert (folder / "lives").exists()
    kubectl("delete", "sts/keeper", "svc/keeper", "--cascade=foreground", "--wait")
    kubectl("delete", "pvc", "data-keeper-0", "--wait")
    until(
        lambda: kubectl("get", "pv", volume, "-o", "jsonpath={.status.phase}") == "Available",
        10,
        "the volume",
    )
    assert list(folder.iterdir()) == []
    assert folder.stat().st_uid == 0


def test_logs_of_a_part_and_a_part_that_does_not_exist() -> None:
    assert "etcd" in sdsk8s("logs", "etcd", "--name", NAME).stdout
    refused = sdsk8s("logs", "nothing", "--name", NAME, code=2)
    assert "apiserver" in refused.stderr


def test_purge_drops_the_state() -> None:
    one = lab()
    sdsk8s("down", "--purge", "--name", NAME)
    assert not one.state.exists()
    assert traces(one) == []
    assert "no lab named" in sdsk8s("status", "--name", NAME, code=4).stderr
