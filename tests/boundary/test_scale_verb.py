"""`sdsk8s scale` as a process against an API server whose one controller makes pods at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_apiserver import FakeApiServer, Handler

BIN = Path(sys.executable).parent
APPS = "/apis/apps/v1/namespaces/sds"
COLLECTIONS = [
    "/api/v1/namespaces",
    *(f"/api/v1/namespaces/sds/{k}" for k in ("pods", "services", "configmaps", "secrets", "events")),
    *(f"/api/v1/namespaces/sds/{k}" for k in ("serviceaccounts", "persistentvolumeclaims", "resourcequotas")),
    *(f"{APPS}/{k}" for k in ("deployments", "statefulsets", "replicasets", "controllerrevisions")),
    "/apis/batch/v1/namespaces/sds/jobs",
    "/apis/batch/v1/namespaces/sds/cronjobs",
    "/apis/policy/v1/namespaces/sds/poddisruptionbudgets",
    "/apis/networking.k8s.io/v1/namespaces/sds/ingresses",
    "/apis/networking.k8s.io/v1/namespaces/sds/networkpolicies",
    "/apis/coordination.k8s.io/v1/namespaces/sds/leases",
]


def deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name, "sdsk8s/component": "metrics", "app.kubernetes.io/part-of": "sds"}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "uid": name, "generation": 1, "labels": labels, "annotations": {}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"spec": {}}},
        "status": {"observedGeneration": 1, **counts},
    }  # fmt: skip


@pytest.fixture
def api() -> Iterator[FakeApiServer]:
    server = FakeApiServer()
    for path in COLLECTIONS:
        server.objects[path] = {}
    server.put("/api/v1/namespaces", {"metadata": {"name": "sds"}})
    server.put(f"{APPS}/deployments", deployment("metrics-writer", 1))

    def controller(handler: Handler) -> bool:
        """Replicas of a patch are ready at once; everything else of the object stays."""
        if handler.command != "PATCH" or "/deployments/" not in handler.path:
            return False
        name = handler.path.partition("?")[0].rpartition("/")[2].removesuffix("/scale")
        body = handler.body()
        old = server.objects[f"{APPS}/deployments"][name]
        new = deployment(name, body["spec"]["replicas"])
        new["metadata"] = {**old["metadata"], **new["metadata"]}
        new["metadata"]["annotations"] = (body.get("metadata") or {}).get("annotations") or {}
        server.put(f"{APPS}/deployments", new)
        handler.answer(200, new)
        return True

    server.faults.append(controller)
    yield server
    server.close()


@pytest.fixture
def home(tmp_path: Path, api: FakeApiServer) -> Path:
    (tmp_path / "config").write_text("METRICS_PVT_IP: 127.0.0.1\n")
    cluster = {"name": "c", "cluster": {"server": api.url}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    body = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}], "current-context": "c"}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **body}))
    return tmp_path


def scale(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "kubeconfig")}
    return subprocess.run(
        [str(BIN / "sdsk8s"), "scale", *argv], env=env, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_up_down_to_nothing_and_again(home: Path, api: FakeApiServer) -> None:
    found = api.objects[f"{APPS}/deployments"]
    for replicas, said in ((3, "1 -> 3"), (2, "3 -> 2"), (0, "(2 pods)")):
        done = scale(home, "metrics", str(replicas), "--yes", "-o", "json")
        assert done.returncode == 0, done.stderr
        assert found["metrics-writer"]["spec"]["replicas"] == replicas
        report = json.loads(done.stdout)
        assert report["state"] == "done" and said in report["steps"][0]["title"]
    assert found["metrics-writer"]["metadata"]["annotations"]["sdsk8s/replicas"] == "2", "what a start brings back"
    again = scale(home, "metrics/metrics-writer", "0", "--yes", "-o", "json")
    assert again.returncode == 0 and json.loads(again.stdout)["state"] == "unchanged"


def test_a_dry_run_and_no_terminal_change_nothing(home: Path, api: FakeApiServer) -> None:
    done = scale(home, "metrics", "4", "--dry-run")
    assert done.returncode == 0 and "1 -> 4" in done.stdout, done.stderr
    assert scale(home, "metrics", "4").returncode == 4
    assert scale(home, "redis", "2", "--yes").returncode == 4
    assert scale(home, "metrics/writer", "2", "--yes").returncode == 2
    assert api.objects[f"{APPS}/deployments"]["metrics-writer"]["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("group", "kind", "next_"),
    [
        ("autoscaling/v2", "HorizontalPodAutoscaler", "edit horizontalpodautoscaler mine"),
        ("keda.sh/v1alpha1", "ScaledObject", "scaledobject mine autoscaling.keda.sh/paused-replicas=4"),
    ],
)
def test_what_an_autoscaler_scales_is_refused(
    home: Path, api: FakeApiServer, group: str, kind: str, next_: str
) -> None:
    path = f"/apis/{group}/namespaces/sds/{kind.lower()}s"
    api.objects[path] = {}
    for name, aim in (("other", "metrics-reader"), ("mine", "metrics-writer")):
        target = {"kind": "Deployment", "name": aim}
        api.put(path, {"kind": kind, "metadata": {"name": name}, "spec": {"scaleTargetRef": target}})
    done = scale(home, "metrics", "4", "--yes")
    assert done.returncode == 4 and f"{kind}/mine" in done.stderr and next_ in done.stderr, done.stderr
    assert api.objects[f"{APPS}/deployments"]["metrics-writer"]["spec"]["replicas"] == 1
    del api.objects[path]["mine"]
    assert scale(home, "metrics", "4", "--yes").returncode == 0


def test_autoscalers_that_may_not_be_read_are_told(home: Path, api: FakeApiServer) -> None:
    def forbid(handler: Handler) -> bool:
        if "/autoscaling/" not in handler.path:
            return False
        handler.answer(403, {"kind": "Status", "reason": "Forbidden", "message": "no", "code": 403})
        return True

    api.faults.append(forbid)
    done = scale(home, "metrics", "4", "--dry-run")
    assert done.returncode == 0 and "may not read HorizontalPodAutoscalers" in done.stdout, done.stderr
