"""status, logs, doctor, render and runs on a small system of the test's own: a talker, a crasher and a store."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN, Done, Lab, as_published, at_most, eventually

pytestmark = pytest.mark.lab

TALKER = """
trap 'echo ended by TERM; exit 0' TERM
n=0; while true; do echo "line $n of $0"; n=$((n + 1)); sleep 0.2; done
"""
CRASHER = "echo about to fail; echo 'cannot open the database' > /dev/termination-log; exit 7"
STORE = "touch /tmp/alive; trap 'exit 0' TERM; while true; do sleep 0.2; done"


def workload(name: str, component: str, script: str, *, kind: str = "Deployment", **labels: str) -> dict[str, Any]:
    mark = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": name.rpartition("-")[2]}
    container = {
        "name": "main",
        "image": "sds/plain",
        "command": ["bash", "-c", script, name],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "terminationGracePeriodSeconds": 5,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }  # fmt: skip
    spec: dict[str, Any] = {
        "replicas": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
        "template": {"metadata": {"labels": {**mark, **labels}}, "spec": pod},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": mark}, "spec": spec}


@dataclass
class Small:
    """The small site, operated by its commands."""

    home: Path
    namespace: str
    env: dict[str, str]

    def run(self, *argv: str, timeout: float = 60) -> Done:
        start = time.monotonic()
        done = subprocess.run(
            argv, env=self.env, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def sdsk8s(self, *argv: str) -> Done:
        return self.run(str(BIN / "sdsk8s"), *argv)

    def kubectl(self, *argv: str) -> str:
        done = self.run("kubectl", "-n", self.namespace, *argv)
        assert done.code == 0, done.err
        return done.out

    def pod(self, name: str) -> str:
        """The running pod of a workload."""
        found = json.loads(self.kubectl("get", "pods", "-l", f"app.kubernetes.io/name={name}", "-o", "json"))["items"]
        pods = [p["metadata"]["name"] for p in found if not p["metadata"].get("deletionTimestamp")]
        return pods[0] if pods else ""

    def ready(self, name: str) -> bool:
        done = self.run("kubectl", "-n", self.namespace, "get", "pod", self.pod(name) or "none", "-o", "json")
        states = json.loads(done.out)["status"].get("containerStatuses", []) if done.code == 0 else []
        return bool(states) and all(s["ready"] for s in states)


@pytest.fixture(scope="module")
def small(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    home = tmp_path_factory.mktemp("small")
    namespace = f"t-reading-{os.getpid()}"
    catalogue = {
        "alpha": ({"name": "alpha", "title": "talks", "order": 10, "verbs": ["start", "stop", "status"],
                   "aliases": ["first"], "needs": ["box"], "images": {"plain": {"external": lab.base_image}},
                   "services": [{"store": "box", "label": "box-server"}],
                   "config": [{"file": "a.conf", "into": "alpha-conf", "template": "a.conf", "secret": True}]},
                  [workload("alpha-talker", "alpha", TALKER), workload("alpha-crasher", "alpha", CRASHER),
                   workload("alpha-programs", "alpha", TALKER, **{"sdsk8s/supervised": "true"})]),
        "box": ({"name": "box", "store": True, "order": 100, "images": {"plain": {"external": lab.base_image}},
                 "check": {"container": "main", "command": ["ls", "/tmp/alive"]}},
                [workload("box", "box", STORE, kind="StatefulSet")]),
    }  # fmt: skip
    for name, (component, manifests) in catalogue.items():
        folder = home / "catalogue" / name
        folder.mkdir(parents=True)
        (folder / "component.yaml").write_text(json.dumps(component))
        for i, manifest in enumerate(manifests):
            (folder / f"{i}.yaml").write_text(json.dumps(manifest))
    (home / "files").mkdir()
    (home / "files" / "a.conf").write_text("password = {{ BOX_PASSWORD }}\n")
    (home / "config").write_text("BOX_PASSWORD: hunter2hunter2\n")
    (home / "config").chmod(0o600)
    site = {"name": "small", "namespace": namespace, "manifests": [str(home / "catalogue")], "registry": lab.registry}
    (home / "site.yaml").write_text(json.dumps(site))
    env = {
        **os.environ, "SDS_HOME": str(home), "KUBECONFIG": lab.kubeconfig, "PATH": f"{lab.tools}:{os.environ['PATH']}",
    }  # fmt: skip
    made = Small(home, namespace, env)
    done = made.sdsk8s("render", "alpha", "box", "--out", str(home / "out"))
    assert done.code == 0, done.err
    applied = made.run("kubectl", "apply", "-f", str(home / "out"))
    assert applied.code == 0, applied.err
    eventually(lambda: all(made.ready(n) for n in ("alpha-talker", "alpha-programs", "box")), timeout=120)
    yield made
    made.run("kubectl", "delete", "namespace", namespace, "--wait=false")


def test_rendered_files_hold_secrets_and_are_private(small: Small) -> None:
    files = sorted((small.home / "out").iterdir())
    assert [f.name for f in files] == ["000-namespace.yaml", "010-alpha.yaml", "100-box.yaml"]
    assert {f.stat().st_mode & 0o777 for f in files} == {0o600}
    shown = small.sdsk8s("render", "alpha")
    assert "***" in shown.out and "aHVudGVy" not in shown.out + shown.err
    assert "kind: Secret" in shown.out and "@sha256:" in shown.out
    opened = small.sdsk8s("render", "alpha", "--show-secrets", "-o", "json")
    secret = next(o for o in opened.json["items"] if o["kind"] == "Secret")
    assert secret["data"]["a.conf"].startswith("cGFzc3dvcmQ")


def test_status_names_what_is_broken_and_shows_the_rest(small: Small) -> None:
    def crashed() -> str:
        out = small.sdsk8s("status", "alpha").out
        return out if "exit code 7: cannot open the database" in out else ""

    out = eventually(crashed, timeout=60)
    assert "container main: " in out
    assert "box-server: ACTIVE" in out and "Deployment/alpha-talker" in out
    assert "supervisord UNKNOWN" in out  # its image has no supervisorctl: said, and nothing else is hidden
    done = small.sdsk8s("status", "alpha", "box", "-o", "json")
    assert done.code == 1 and as_published("status", done.json)["ok"] is False
    alpha, box = done.json["components"]
    assert (box["state"], box["ok"]) == ("ready", True)
    states = {w["name"]: w["state"] for w in alpha["workloads"]}
    assert states == {"alpha-talker": "ready", "alpha-programs": "ready", "alpha-crasher": "not ready"}


def test_status_tells_a_store_that_is_up_from_one_that_answers(small: Small) -> None:
    small.kubectl("exec", small.pod("box"), "--", "rm", "/tmp/alive")
    done = small.sdsk8s("status", "box")
    assert done.code == 1 and "box: INACTIVE" in done.out and "No such file" in done.out and "1/1 ready" in done.out
    small.kubectl("exec", small.pod("box"), "--", "touch", "/tmp/alive")
    assert small.sdsk8s("status", "box").code == 0


def test_logs_of_several_containers_by_time(small: Small) -> None:
    done = small.sdsk8s("logs", "first", "--tail", "5", "-o", "json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    talkers = [e for e in lines if e["pod"].startswith(("alpha-talker", "alpha-programs"))]
    assert len({e["pod"] for e in talkers}) == 2 and len(talkers) == 10
    assert [e["time"] for e in talkers] == sorted(e["time"] for e in talkers)
    one = small.sdsk8s("logs", "alpha/talker", "--tail", "2")
    assert [line.split()[0].startswith("alpha-talker-") for line in one.out.splitlines()] == [True, True]
    assert one.out.splitlines()[0].split()[1] == "main" and "\x1b" not in one.out
    young = small.sdsk8s("logs", "alpha/talker", "--since", "2s")
    assert 5 <= len(young.out.splitlines()) <= 20


def test_logs_of_the_container_before(small: Small) -> None:
    done = eventually(lambda: (d := small.sdsk8s("logs", "alpha/crasher", "--previous")).out and d, timeout=60)
    assert "main about to fail" in done.out


def test_logs_name_the_known_workloads(small: Small) -> None:
    done = small.sdsk8s("logs", "alpha/talkr")
    assert done.code == 2 and 'did you mean "talker"' in done.err


class Following:
    """A `logs -f` process and the lines it has printed."""

    def __init__(self, small: Small, *argv: str) -> None:
        command = [str(BIN / "sdsk8s"), "logs", "-f", *argv]
        self.process = subprocess.Popen(
            command,
            env=small.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # a suite that runs in the background has Ctrl-C ignored, and children inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.seen = ""

    def until(self, word: str, timeout: float) -> float:
        """Seconds until the word was printed."""
        assert self.process.stdout is not None
        start = time.monotonic()
        while word not in self.seen:
            left = start + timeout - time.monotonic()
            assert left > 0, f"{word!r} not within {timeout} s:\n{self.seen[-1000:]}"
            if select.select([self.process.stdout], [], [], left)[0]:
                self.seen += os.read(self.process.stdout.fileno(), 65536).decode()
        return time.monotonic() - start

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=10)
        return self.process.returncode


def test_follow_shows_a_marker_within_two_seconds_and_pods_that_appear_later(small: Small) -> None:
    follow = Following(small, "alpha/talker", "--tail", "1")
    try:
        follow.until("line ", 10)
        old = small.pod("alpha-talker")
        small.kubectl("exec", old, "--", "bash", "-c", "echo marker-one > /proc/1/fd/1")
        assert follow.until("marker-one", at_most(5)) < at_most(2)
        small.kubectl("delete", "pod", old, "--wait=false")
        follow.until("ended by TERM", 10)
        new = eventually(lambda: (p := small.pod("alpha-talker")) != old and small.ready("alpha-talker") and p)
        follow.until(f"{new} main line 0 ", 10)
        small.kubectl("exec", new, "--", "bash", "-c", "echo marker-two > /proc/1/fd/1")
        assert follow.until("marker-two", at_most(5)) < at_most(2)
    finally:
        code = follow.end()
    assert code == 0
    lines = follow.seen.splitlines()
    assert len(lines) == len(set(lines)), "a line was printed twice"


def test_follow_survives_a_restarted_container(small: Small) -> None:
    follow = Following(small, "alpha/programs", "--tail", "1")
    try:
        follow.until("line ", 10)
        pod = small.pod("alpha-programs")
        small.kubectl("exec", pod, "--", "bash", "-c", "kill -TERM 1")
        follow.until("ended by TERM", 10)
        follow.until(f"{pod} main line 0 ", 40)
    finally:
        assert follow.end() == 0


def test_logs_of_a_stopped_component_say_so(small: Small) -> None:
    done = small.sdsk8s("stop", "alpha", "--yes")
    assert done.code == 0, done.err
    # A crashed pod that is being deleted may be there for a moment longer, and its log with it.
    logs = eventually(lambda: (d := small.sdsk8s("logs", "alpha")).code == 1 and d, timeout=20)
    assert "alpha is stopped" in logs.err and "sdsk8s start alpha" in logs.err and not logs.out
    status = small.sdsk8s("status", "alpha")
    assert status.code == 0 and "stopped (1 recorded)" in status.out
    shown = small.sdsk8s("runs", "show", "last")
    assert "stop alpha" in shown.out and "done" in shown.out
    assert small.sdsk8s("lock", "status").out.strip() == "nobody holds the lock"
    small.kubectl("scale", "deployment/alpha-talker", "--replicas=1")
    eventually(lambda: small.ready("alpha-talker"), timeout=60)


def test_doctor_names_each_broken_item_alone(small: Small, tmp_path: Path) -> None:
    def broken(**env: str) -> list[str]:
        done = Small(small.home, small.namespace, {**small.env, **env}).sdsk8s("doctor", "-o", "json")
        names = [c["name"] for c in done.json["checks"] if c["state"] == "broken"]
        assert done.code == (1 if names else 0) and done.json["ok"] is not bool(names)
        assert all(c["cure"] for c in done.json["checks"] if c["state"] == "broken"), done.out
        return names

    # The shipped components have no templates here: and no sources: each of them is named.
    assert {n for n in broken() if not n.startswith("configuration of")} <= {"container engine", "source tree"}
    home = tmp_path / "home"
    shutil.copytree(small.home, home)
    site = json.loads((home / "site.yaml").read_text())
    shipped = [c["name"] for c in small.sdsk8s("components", "-o", "json").json["components"]]
    site["components"] = {name: {"where": "external"} for name in shipped if name not in ("alpha", "box")}
    (home / "site.yaml").write_text(json.dumps(site))
    before = set(broken(SDS_HOME=str(home)))
    assert before <= {"container engine"}
    (home / "site.yaml").write_text(json.dumps({**site, "registry": "127.0.0.1:9"}))
    assert set(broken(SDS_HOME=str(home))) - before == {"registry"}
    (home / "site.yaml").write_text(json.dumps({**site, "context": "nowhere"}))
    assert set(broken(SDS_HOME=str(home))) - before == {"kubeconfig"}
    (home / "site.yaml").write_text("registry: [\n")
    assert broken(SDS_HOME=str(home)) == ["site files"]
