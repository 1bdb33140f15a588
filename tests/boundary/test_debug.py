"""`-d/--debug` and SDS_DEBUG: what they tell, what they hide, and that without them nothing changes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_apiserver import FakeApiServer, times
from fake_pod import add_pod

NAMESPACED = "/api/v1/namespaces/sds"
PASSWORD = "pa55-w0rd.of.redis"


class Box:
    """A site of one component, and a cluster that has it."""

    def __init__(self, folder: Path, api: FakeApiServer) -> None:
        self.folder, self.api = folder, api
        self.home = folder / "sds"
        (self.home / "catalogue/box").mkdir(parents=True)
        (self.home / "config").write_text(f"REDIS_PASSWORD: {json.dumps(PASSWORD)}\n")
        (self.home / "site.yaml").write_text(f"manifests: [{self.home}/catalogue]\n")
        (self.home / "catalogue/box/component.yaml").write_text("name: box\nverbs: [stop, start, status]\n")
        labels = {"sdsk8s/component": "box"}
        spec: dict[str, Any] = {"replicas": 0, "selector": {"matchLabels": labels}}
        spec["template"] = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
        workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "box"}, "spec": spec}
        (self.home / "catalogue/box/box.yaml").write_text(yaml.safe_dump(workload))
        config = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": api.url}}],
            "users": [{"name": "me", "user": {"token": "t0ken-of-the-operator"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "me"}}],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))

    def run(self, program: str, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        code = f"import sys; from {program} import main; sys.argv = ['x', *sys.argv[1:]]; sys.exit(main())"
        full = {**os.environ, "SDS_HOME": str(self.home), "SDS_KUBECONFIG": str(self.folder / "kubeconfig"), **env}
        if "SDS_DEBUG" not in env:
            full.pop("SDS_DEBUG", None)
        return subprocess.run(
            [sys.executable, "-c", code, *argv], capture_output=True, text=True, env=full, check=False, timeout=120
        )


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    server = FakeApiServer()
    add_pod(server, "box-1", tmp_path)
    yield Box(tmp_path, server)
    server.close()


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("debug: ")]


def copy(box: Box, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    (box.folder / "new").write_text("new")
    (box.folder / "there").mkdir(exist_ok=True)
    return box.run("sdsk8s.cli.main", "cp", str(box.folder / "new"), f"pod/box-1:{box.folder}/there/", *argv, **env)


def test_requests_and_commands_with_status_and_time(box: Box) -> None:
    done = copy(box, "-d")
    assert done.returncode == 0, done.stderr
    told = "\n".join(lines(done))
    assert f"sdsk8s.kubernetes: server {box.api.url}" in told
    assert any(line.endswith(" ms") and f"GET {NAMESPACED}/pods/box-1: 200 in" in line for line in lines(done))
    assert f"GET WebSocket {NAMESPACED}/pods/box-1/exec: 101 in" in told
    assert "sdsk8s.exec: pod box-1, container main: run python3" in told
    assert "t0ken-of-the-operator" not in done.stderr and "Bearer" not in done.stderr


def test_the_variable_is_the_same_and_without_either_nothing_is_told(box: Box) -> None:
    assert lines(copy(box, SDS_DEBUG="1"))
    quiet = copy(box)
    assert quiet.returncode == 0 and quiet.stderr == "" and lines(copy(box, SDS_DEBUG="0")) == []


def test_a_retry_comes_with_its_reason(box: Box) -> None:
    box.api.faults.insert(0, times(1, lambda h: h.status(503, "ServiceUnavailable", "starting"), match="GET"))
    done = copy(box, "--debug")
    told = "\n".join(lines(done))
    assert done.returncode == 0 and ": 503 in" in told and "trying again: " in told


def test_passwords_of_the_site_are_hidden_wherever_they_stand(box: Box) -> None:
    done = box.run("sdsk8s.cli.main", "cp", str(box.folder / "kubeconfig"), f"pod/{PASSWORD}:/x", "-d")
    assert done.returncode == 1 and "pod not found" in done.stderr
    told = "\n".join(lines(done))
    assert f"GET {NAMESPACED}/pods/(hidden): 404 in" in told and PASSWORD not in told


@pytest.mark.parametrize(("program", "argv"), [
    ("sdsk8s.cli.main", ["stop", "box", "--yes", "-d"]),
    ("legacy_shim.main", ["-d", "stop", "mozart", "-f"]),
])  # fmt: skip
def test_a_run_keeps_its_debug_log_for_its_owner_alone(box: Box, program: str, argv: list[str]) -> None:
    component = argv[argv.index("stop") + 1]
    labels = {"sdsk8s/component": component, "app.kubernetes.io/part-of": "sds"}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": component, "uid": "d1", "generation": 1, "labels": labels},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "main", "image": "x"}]}}},
        "status": {"observedGeneration": 1},
    }  # fmt: skip
    for group, kinds in {
        "/apis/apps/v1/namespaces/sds": ("deployments", "statefulsets", "daemonsets", "replicasets"),
        NAMESPACED: ("services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "events"),
        "/apis/batch/v1/namespaces/sds": ("jobs", "cronjobs"),
        "/apis/coordination.k8s.io/v1/namespaces/sds": ("leases",),
        "/apis/autoscaling/v2/namespaces/sds": ("horizontalpodautoscalers",),
        "/apis/rbac.authorization.k8s.io/v1/namespaces/sds": ("roles", "rolebindings"),
        "/apis/networking.k8s.io/v1/namespaces/sds": ("networkpolicies", "ingresses"),
        "/apis/policy/v1/namespaces/sds": ("poddisruptionbudgets",),
    }.items():
        for kind in kinds:
            box.api.objects.setdefault(f"{group}/{kind}", {})
    box.api.put("/apis/apps/v1/namespaces/sds/deployments", deployment)
    box.api.drop(f"{NAMESPACED}/pods", "box-1")
    done = box.run(program, *argv)
    assert done.returncode == 0, done.stderr
    (log,) = box.home.glob("runs/*/debug.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    kept = log.read_text()
    assert "sdsk8s.plan: " in kept and f"PATCH /apis/apps/v1/namespaces/sds/deployments/{component}" in kept
    assert [line for line in lines(done) if "sdsk8s.plan: " in line]
    assert "t0ken" not in kept + done.stderr
