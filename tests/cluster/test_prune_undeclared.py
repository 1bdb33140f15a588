"""`prune` takes away what a site no longer declares, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Lab, System, eventually
from tiny import deployment, remove, tiny_site

pytestmark = pytest.mark.lab


def named(name: str) -> dict[str, Any]:
    """A second workload of the tiny component."""
    obj = deployment()
    obj["metadata"] = {"name": name, "labels": {"app.kubernetes.io/name": name}}
    obj["spec"]["selector"] = {"matchLabels": {"app.kubernetes.io/name": name}}
    obj["spec"]["template"]["metadata"] = {"labels": {"app.kubernetes.io/name": name}}
    return obj


def keeper() -> list[dict[str, Any]]:
    """A StatefulSet with a claim, and a CronJob."""
    obj = named("keeper")
    spec = copy.deepcopy(obj["spec"])
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    pod = spec["template"]["spec"]
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    store = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": obj["metadata"],
        "spec": {**spec, "serviceName": "keeper", "volumeClaimTemplates": [claim]},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly", "labels": {"app.kubernetes.io/name": "nightly"}},
        "spec": {
            "schedule": "0 3 * * *",
            "jobTemplate": {"spec": {"template": {"spec": {**deployment()["spec"]["template"]["spec"]}}}},
        },
    }
    job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    return [store, job]


@pytest.fixture(scope="module")
def tiny(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The component with two more workloads and a CronJob, all running."""
    system = tiny_site(lab, tmp_path_factory.mktemp("prune"), "undeclared")
    more(system).write_text(yaml.safe_dump_all([named("second"), *keeper()]))
    system.sdsk8s("start", "tiny", "--yes")
    yield system
    remove(system)


def more(tiny: System) -> Path:
    return Path(tiny.home.parent / "manifests/tiny/more.yaml")


def test_what_is_declared_is_not_pruned(tiny: System) -> None:
    done = tiny.sdsk8s("prune", "--yes")
    assert "everything in the namespace is declared" in done.out
    assert {o["metadata"]["name"] for o in tiny.get("deployments")["items"]} == {"tiny", "second"}


def test_removed_objects_are_stopped_and_deleted_and_data_is_kept(tiny: System) -> None:
    more(tiny).unlink(missing_ok=True)
    shown = tiny.sdsk8s("prune", "--dry-run").out
    assert "stop Deployment/second (1 pod)" in shown and "delete CronJob/nightly" in shown
    assert len(tiny.get("deployments")["items"]) == 2, "a dry run changes nothing"
    uid = tiny.get("pods", "-l", "app.kubernetes.io/name=tiny")["items"][0]["metadata"]["uid"]
    done = tiny.sdsk8s("prune", "--yes")
    assert "the PersistentVolumeClaims of StatefulSet/keeper are kept: they hold data" in done.out
    assert [o["metadata"]["name"] for o in tiny.get("deployments")["items"]] == ["tiny"]
    assert tiny.get("statefulsets")["items"] == tiny.get("cronjobs")["items"] == []
    assert [o["metadata"]["name"] for o in tiny.get("pvc")["items"]] == ["data-keeper-0"]
    # A pod whose containers have ended is an object for a moment longer.
    eventually(lambda: [p["metadata"]["uid"] for p in tiny.get("pods")["items"]] == [uid])


def test_a_component_that_became_external_is_taken_down_with_its_configuration(tiny: System) -> None:
    path = tiny.home / "site.yaml"
    site = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**site, "components": {"tiny": {"where": "external"}}}))
    tiny.sdsk8s("prune", "--yes")
    assert tiny.get("deployments,statefulsets,configmaps", "-l", "sdsk8s/component=tiny")["items"] == []
    eventually(lambda: tiny.get("pods")["items"] == [])
    assert [o["metadata"]["name"] for o in tiny.get("pvc")["items"]] == ["data-keeper-0"], "data is never pruned"
    assert tiny.sdsk8s("history", "tiny", "-o", "json").json["revisions"], "the history is kept"
