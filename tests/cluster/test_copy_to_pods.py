"""`cp` against real pods: both ways, cut and killed in the middle, refused, and lied to."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import BIN, Done, Lab, System, at_most, eventually
from copy_cut import Proxy

FAKE = '''#!/usr/bin/python3 -IS
"""Speaks like the agent and lies."""
import json, marshal, sys
from pathlib import Path
i, o = sys.stdin.buffer, sys.stdout.buffer
i.read(int(sys.argv[-1]))
plan = json.loads(Path("/data/plan.json").read_text())
while head := i.read(4):
    ask = marshal.loads(i.read(int.from_bytes(head, "big")))
    if ask["do"] == "list":
        data = json.dumps(plan["listing"]).encode()
        o.write(len(data).to_bytes(4, "big") + data)
    elif ask["do"] == "send":
        for n in range(plan.get("flood", 0)):
            o.write(bytes(1 << 20))
        o.write(b"evil" + bytes(32))
    elif ask["do"] == "bye":
        break
    o.flush()
'''


@dataclass
class Pods:
    system: System
    folder: Path

    def cp(self, *argv: str, ok: bool = True, **env: str) -> Done:
        return self.system.sdsk8s("cp", *argv, ok=ok, **env)

    def sh(self, pod: str, script: str, ok: bool = True) -> str:
        return self.system.kubectl("exec", pod, "--", "sh", "-c", script, ok=ok).out

    def start(self, *argv: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(BIN / "sdsk8s"), "cp", *argv], env={**self.system.env, **env}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def pod(name: str, image: str, *, read_only: bool = True, evil: bool = False, owner: int = 10001) -> dict[str, Any]:
    labels = {"app.kubernetes.io/part-of": "sds", "sdsk8s/component": "box"}
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "shut", "mountPath": "/shut", "readOnly": True}]
    volumes: list[dict[str, Any]] = [{"name": "data", "emptyDir": {}}, {"name": "shut", "emptyDir": {}}]
    box: dict[str, Any] = {
        "name": "main", "image": image, "command": ["sh", "-c", "trap exit TERM; while :; do sleep 0.5; done"],
        "volumeMounts": mounts,
        "securityContext": {"runAsUser": owner, "runAsGroup": owner, "readOnlyRootFilesystem": read_only},
    }  # fmt: skip
    if evil:
        mounts.append({"name": "evil", "mountPath": "/evil"})
        volumes.append({"name": "evil", "configMap": {"name": "evil", "defaultMode": 0o755}})
        box["env"] = [{"name": "PATH", "value": "/evil:/usr/bin:/bin"}]
    spec = {"terminationGracePeriodSeconds": 0, "containers": [box], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


@pytest.fixture(scope="module")
def pods(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    folder = tmp_path_factory.mktemp("copy")
    image = base_image(lab, folder)
    catalogue = folder / "catalogue" / "box"
    catalogue.mkdir(parents=True)
    (catalogue / "component.yaml").write_text(f"name: box\nimages: {{box: {{external: {image!r}}}}}\n")
    home = folder / "sds"
    home.mkdir()
    (home / "config").write_text("")
    (home / "site.yaml").write_text(f"namespace: copy-test\nmanifests: [{folder / 'catalogue'}]\n")
    env = {**os.environ, "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}", "KUBECONFIG": lab.kubeconfig}
    found = Pods(System(lab, home, folder, "copy-test", {**env, "SDS_HOME": str(home)}), folder)
    kubectl = found.system.kubectl
    kubectl("create", "namespace", "copy-test", ok=False)
    # An image with one program, and neither shell nor tar.
    box = {
        "name": "main", "image": f"{lab.registry}/sdsk8s/pause:1",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }  # fmt: skip
    spec = {"containers": [box], "volumes": [{"name": "data", "emptyDir": {}}]}
    empty = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "empty"}, "spec": spec}
    evil = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "evil"}, "data": {"python3": FAKE}}
    objects = [
        evil, pod("one", image), pod("two", image), pod("open", image, read_only=False, owner=0),
        pod("bare", lab.base_image), empty, pod("liar", image, evil=True),
    ]  # fmt: skip
    (folder / "pods.yaml").write_text(yaml.safe_dump_all(objects))
    kubectl("apply", "-f", str(folder / "pods.yaml"))
    for name in ("one", "two", "open", "bare", "empty", "liar"):
        kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=120s")
    kubectl("label", "pod", "open", "bare", "liar", "sdsk8s/component-", "--overwrite")
    yield found
    kubectl("delete", "namespace", "copy-test", "--wait=false", ok=False)


def base_image(lab: Lab, folder: Path) -> str:
    """The product's own base: Debian with python3."""
    from sdsk8s.backends.docker.builder import Workshop
    from sdsk8s.backends.docker.engine import Engine
    from sdsk8s.model.image import ImageSpec
    from sdsk8s.site.data import folder as shipped

    engine = Engine(lab.docker_url)
    ref = f"{lab.registry}/test/base:copy"
    spec = ImageSpec("base", "base", args={"FROM_IMAGE": lab.base_image})
    workshop = Workshop(shipped("dockerfiles"), None)
    inputs = workshop.inputs(spec)
    workshop.build(
        engine, spec, ref, parent=None, inputs=inputs, log=folder / "build.log", on_line=lambda line: None
    )  # fmt: skip
    engine.push(ref, lambda line: None)
    return ref


def make_tree(folder: Path, files: int = 300) -> Path:
    for n in range(files):
        path = folder / f"d{n // 100}" / f"f{n}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(4096))
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o750)
    (folder / "link").symlink_to("d0/f1")
    return folder


def sums(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): os.readlink(p) if p.is_symlink() else hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*") if p.is_symlink() or p.is_file()
    }  # fmt: skip


def facts(done: Done, pod: str = "one") -> dict[str, Any]:
    return next(p for p in done.json["pods"] if p["pod"] == pod)


def test_a_tree_there_and_back(pods: Pods, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", 3000)
    first = pods.cp(str(tree), "box:/data/tree", "-o", "json")
    for name in ("one", "two"):
        assert facts(first, name)["state"] == "done" and facts(first, name)["how"] == "new"
        assert len(facts(first, name)["files"]) == 3001
    again = pods.cp(str(tree), "box:/data/tree", "-o", "json")
    assert {p["state"] for p in again.json["pods"]} == {"unchanged"}
    (tree / "d7/f777").write_text("new")
    (tree / "d0/f0").unlink()
    plan = pods.cp(str(tree), "pod/one:/data/tree", "--dry-run", "--delete")
    assert "copy    d7/f777" in plan.out and "delete  d0/f0" in plan.out and "run.sh" not in plan.out
    assert pods.sh("one", "cat /data/tree/d7/f777 | wc -c") == "4096\n"
    one = pods.cp(str(tree), "box:/data/tree", "--delete", "-o", "json")
    assert [f["path"] for f in facts(one)["files"]] == ["d7/f777"] and facts(one)["deleted"] == ["d0/f0"]
    assert facts(one)["files"][0]["sha256"] == hashlib.sha256(b"new").hexdigest() and facts(one)["how"] == "swap"
    back = tmp_path / "back"
    pods.cp("pod/two:/data/tree", str(back))
    assert sums(back) == sums(tree) and (back / "run.sh").stat().st_mode & 0o777 == 0o750
    assert "nothing to do" in pods.cp("pod/two:/data/tree", str(back)).out
    both = tmp_path / "both"
    pods.cp("box:/data/tree/d7", str(both))
    assert sorted(os.listdir(both)) == ["one", "two"] and sums(both / "one") == sums(tree / "d7")
    assert pods.sh("one", "ls -A /data") == "tree\n"


@pytest.mark.parametrize("protocol", ["v4", "v5"])
def test_both_protocols(pods: Pods, tmp_path: Path, protocol: str) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(20_000_000))
    up = pods.cp(str(big), "pod/one:/data/", "-o", "json", SDS_EXEC_PROTOCOL=protocol)
    assert facts(up)["protocol"] == f"{protocol}.channel.k8s.io"
    down = pods.cp("pod/one:/data/big", str(tmp_path / "down"), "-o", "json", SDS_EXEC_PROTOCOL=protocol)
    assert facts(down)["protocol"] == f"{protocol}.channel.k8s.io"
    assert (tmp_path / "down").read_bytes() == big.read_bytes()
    pods.sh("one", "rm /data/big")


def test_cut_connections_are_continued(pods: Pods, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(60_000_000))
    proxy = Proxy(pods.system.lab.kubeconfig, tmp_path)
    proxy.cut = [20_000_000, 20_000_000]
    up = pods.cp(str(big), "pod/one:/data/cut", "-o", "json", "--kubeconfig", proxy.kubeconfig)
    assert facts(up)["tries"] == 3 and proxy.cut == []
    assert pods.sh("one", "sha256sum < /data/cut").split()[0] == hashlib.sha256(big.read_bytes()).hexdigest()
    proxy.cut = [20_000_000, 20_000_000]
    down = pods.cp("pod/one:/data/cut", str(tmp_path / "down"), "-o", "json", "--kubeconfig", proxy.kubeconfig)
    assert facts(down)["tries"] == 3 and (tmp_path / "down").read_bytes() == big.read_bytes()
    assert pods.sh("one", "ls -A /data | grep sds-cp", ok=False) == "" and sorted(os.listdir(tmp_path))[0] == "big"
    proxy.close()


def test_a_killed_command_leaves_the_old_tree(pods: Pods, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for n in range(8):
        (tree / f"f{n}").write_bytes(b"old")
    pods.cp(str(tree), "pod/one:/data/killed")
    for n in range(8):
        (tree / f"f{n}").write_bytes(os.urandom(8_000_000))
    proxy = Proxy(pods.system.lab.kubeconfig, tmp_path)
    proxy.cut, proxy.stall = [30_000_000], True
    running = pods.start(str(tree), "pod/one:/data/killed", "--kubeconfig", proxy.kubeconfig)
    assert proxy.stalled.wait(60)
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    proxy.close()
    assert pods.sh("one", "cat /data/killed/*") == "old" * 8
    done = facts(pods.cp(str(tree), "pod/one:/data/killed", "-o", "json"))
    assert done["state"] == "done"
    want = {n: hashlib.sha256((tree / n).read_bytes()).hexdigest() for n in sorted(os.listdir(tree))}
    got = dict(reversed(line.split("  ")) for line in pods.sh("one", "cd /data/killed && sha256sum *").splitlines())
    assert got == want
    pods.sh("one", "rm -r /data/killed")


def test_a_pod_that_goes_away_ends_the_copy(pods: Pods, tmp_path: Path) -> None:
    image = pods.system.get("pod", "one")["spec"]["containers"][0]["image"]
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(pod("gone", image)))
    pods.system.kubectl("apply", "-f", str(tmp_path / "gone.yaml"))
    pods.system.kubectl("wait", "pod/gone", "--for=condition=Ready", "--timeout=60s")
    big = tmp_path / "big"
    big.write_bytes(os.urandom(60_000_000))
    proxy = Proxy(pods.system.lab.kubeconfig, tmp_path)
    proxy.cut, proxy.stall = [20_000_000], True
    running = pods.start(str(big), "pod/gone:/data/big", "--kubeconfig", proxy.kubeconfig)
    assert proxy.stalled.wait(60)
    pods.system.kubectl("delete", "pod", "gone", "--force", "--grace-period=0")
    start = time.monotonic()
    _, err = running.communicate(timeout=90)
    assert running.returncode == 1 and "the pod was deleted" in err, err
    assert time.monotonic() - start < at_most(60)
    proxy.close()


def test_what_cannot_be_written_is_refused_before_anything_is_sent(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    for target, code, words in (
        ("pod/one:/srv/f", 4, "read-only"), ("pod/one:/shut/f", 4, "read-only"), ("pod/one:/opt/sds/ops/f", 4, "image"),
        ("pod/open:/srv/f", 4, "--ephemeral"), ("pod/bare:/data/f", 1, "no python3"),
        ("pod/empty:/data/f", 1, "no python3"),
        ("pod/none:/data/f", 1, "pod not found"),
        ("pod/one:/data", 4, "is a directory"), ("box/nothing:/data/f", 2, "no workload"),
    ):  # fmt: skip
        done = pods.cp(str(tmp_path / "f"), target, ok=False)
        assert done.code == code and words in done.err, (target, done.code, done.err)
        assert done.seconds < at_most(30)
    assert pods.sh("one", "mkdir -m 555 /data/dir; ls -A /data/dir") == ""
    done = pods.cp(str(tmp_path / "f"), "pod/one:/data/dir/f", ok=False)
    assert done.code == 4 and "may not write" in done.err
    pods.sh("one", "rmdir /data/dir; ln -s /etc /data/out")
    done = pods.cp(str(tmp_path / "f"), "pod/one:/data/out/f", ok=False)
    assert done.code == 4 and "read-only" in done.err
    pods.sh("one", "rm /data/out")


def test_ephemeral_copies_mark_the_pod_until_its_container_restarts(pods: Pods, tmp_path: Path) -> None:
    from sdsk8s.model.drift import drifted

    (tmp_path / "f").write_bytes(b"x")
    pods.cp(str(tmp_path / "f"), "pod/open:/srv/f", "--ephemeral")
    assert pods.sh("open", "cat /srv/f") == "x"
    assert "/srv/f copied over the image" in drifted(pods.system.get("pod", "open"))
    pods.sh("open", "kill 1", ok=False)
    eventually(lambda: pods.system.get("pod", "open")["status"]["containerStatuses"][0]["restartCount"] == 1)
    eventually(lambda: drifted(pods.system.get("pod", "open")) == "")
    pods.system.kubectl("wait", "pod/open", "--for=condition=Ready", "--timeout=60s")
    assert pods.sh("open", "ls /srv") == ""


HOSTILE = {
    "dotdot": [["../evil", "f", 0o644, 4, 0, "", True]],
    "absolute": [["/tmp/evil-copy", "f", 0o644, 4, 0, "", True]],
    "link and file": [["l", "l", 0o777, 0, 0, "..", True], ["l/evil", "f", 0o644, 4, 0, "", True]],
    "chained links": [["a", "l", 0o777, 0, 0, ".", True], ["b", "l", 0o777, 0, 0, "a/..", True],
                      ["b/evil", "f", 0o644, 4, 0, "", True]],
    "device": [["dev", "o", 0o644, 0, 0, "", True]],
    "bomb": [["zero", "f", 0o644, 10**16, 0, "", True]],
    "wrong digest": [["evil", "f", 0o4755, 4, 0, "", True]],
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pod_writes_nothing(pods: Pods, tmp_path: Path, name: str) -> None:
    listing = {
        "real": "/x",
        "kind": "d",
        "entries": HOSTILE[name],
        "unreadable": [],
        "denied": "",
        "free": 1,
        "staged": {},
    }
    plan = json.dumps({"listing": listing, "flood": 3 if name == "wrong digest" else 0})
    pods.sh("liar", f"cat > /data/plan.json <<'E'\n{plan}\nE")
    (tmp_path / "in").mkdir()
    done = pods.cp("pod/liar:/data/x", str(tmp_path / "in" / "tree"), ok=False)
    assert done.code in (1, 4) and "error:" in done.err and done.seconds < at_most(60), done.err
    left = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if ".sds-cp-" not in str(p)}
    assert left == {"in"} and not Path("/tmp/evil-copy").exists()


def test_memory_stays_small(pods: Pods, tmp_path: Path) -> None:
    size = int(os.environ.get("SDSK8S_COPY_BYTES", 300_000_000))
    with (tmp_path / "big").open("wb") as file:
        file.truncate(size)
    script = (
        "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    for way in ((str(tmp_path / "big"), "pod/two:/data/big"), ("pod/two:/data/big", str(tmp_path / "down"))):
        done = pods.system.run(sys.executable, "-c", script, str(BIN / "sdsk8s"), "cp", *way)
        assert int(done.out) < 150_000, f"{done.out} kB"
    pods.sh("two", "rm /data/big")
    eventually(lambda: pods.sh("two", "ls -A /data | grep big", ok=False) == "")
