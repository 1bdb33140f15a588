"""The rendered files are plain Kubernetes: kubectl makes the same system of them, under Pod Security `restricted`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import System

from sdsk8s.model.names import CONFIG_HASH

pytestmark = pytest.mark.lab


def test_kubectl_apply_of_the_rendered_files_is_the_running_system(system: System, tmp_path: Path) -> None:
    out = tmp_path / "rendered"
    system.sdsk8s("render", "--out", str(out))
    assert all(f.stat().st_mode & 0o077 == 0 for f in out.iterdir())
    system.kubectl("delete", "deployment/metrics-writer", "--cascade=foreground")
    system.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=sdsk8s", "-f", str(out))
    system.kubectl("rollout", "status", "deployment/metrics-writer", "--timeout=120s")
    done = system.sds("update", "all", "-f")
    assert done.out.count("no change in code or configuration") == 5 and "nothing to do" in done.out
    assert "is already running" in system.sds("start", "metrics", "-f").out


def test_every_pod_passes_restricted_which_is_enforced(system: System) -> None:
    labels = system.run("kubectl", "get", "namespace", system.namespace, "-o", "json").json["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    rendered = list(yaml.safe_load_all(system.sdsk8s("render").out))
    assert len(rendered) > 30
    for obj in rendered:
        if obj["kind"] == "Secret":
            assert set(obj["data"].values()) == {"***"}
    bad = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bad"},
        "spec": {"containers": [{"name": "c", "image": "x"}]},
    }
    path = system.home / "bad.yaml"
    path.write_text(yaml.safe_dump(bad))
    refused = system.kubectl("apply", "-f", str(path), ok=False)
    path.unlink()
    assert refused.code == 1 and "restricted" in refused.err


def test_objects_carry_the_standard_labels_probes_and_limits(system: System) -> None:
    for obj in system.get("deployments,statefulsets", "-l", "app.kubernetes.io/part-of=sds")["items"]:
        labels = obj["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "sdsk8s" and labels["sdsk8s/component"]
        spec = obj["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] and spec["automountServiceAccountToken"] is False
        for c in spec["containers"]:
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(c), obj["metadata"]["name"]
            assert c["resources"]["requests"]["cpu"] and c["resources"]["limits"]["memory"]
            assert c["securityContext"]["readOnlyRootFilesystem"] is True


def test_stores_are_stateful_sets_with_kept_claims_and_budgets(system: System) -> None:
    sets = {s["metadata"]["name"]: s for s in system.get("statefulsets")["items"]}
    budgets = {b["metadata"]["name"] for b in system.get("poddisruptionbudgets")["items"]}
    assert set(sets) == {"rabbitmq", "redis", "elasticsearch"} <= budgets
    for name, s in sets.items():
        assert s["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        assert system.get("service", name)["spec"]["clusterIP"] == "None"


def test_no_secret_reaches_arguments_logs_or_journals(system: System) -> None:
    config = yaml.safe_load((system.home / "config").read_text())
    secrets = [config["MOZART_RABBIT_PASSWORD"], config["MOZART_REDIS_PASSWORD"]]
    assert all(len(s) > 10 for s in secrets)
    for file in (system.home / "runs").rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            assert not any(s in text for s in secrets), file
    pods = system.kubectl("get", "pods", "-o", "yaml").out + system.kubectl("get", "configmaps", "-o", "yaml").out
    assert not any(s in pods for s in secrets)
    for name in ("rabbitmq-0", "redis-0"):
        ps = system.kubectl("exec", name, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").out
        logs = system.kubectl("logs", name).out
        assert not any(s in ps + logs for s in secrets)


def test_another_venue_runs_the_same_images_with_its_own_configuration(system: System, tmp_path: Path) -> None:
    home = tmp_path / "production"
    shutil.copytree(system.home, home, ignore=shutil.ignore_patterns("runs"))
    config = yaml.safe_load((home / "config").read_text())
    config |= {"VENUE": "production", "MOZART_RABBIT_PASSWORD": "another-secret-of-production"}
    (home / "config").write_text(yaml.safe_dump(config))

    def workloads(*argv: str) -> dict[str, tuple[list[str], str]]:
        """{name: images of its containers, hash of its configuration}."""
        objects = system.sdsk8s("render", "mozart", "-o", "json", *argv).json["items"]
        templates = {o["metadata"]["name"]: o["spec"]["template"] for o in objects if o["kind"] == "Deployment"}
        return {
            name: ([c["image"] for c in t["spec"]["containers"]], t["metadata"]["annotations"][CONFIG_HASH])
            for name, t in templates.items()
        }

    here, there = workloads(), workloads("--home", str(home), "-n", "production")
    assert {n: w[0] for n, w in here.items()} == {n: w[0] for n, w in there.items()} and here
    assert all("@sha256:" in image for images, _ in here.values() for image in images)
    assert here["mozart-api"][1] != there["mozart-api"][1]
