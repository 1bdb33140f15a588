"""`sds cloud asg create` for pods: refused and printed without KEDA's kinds, applied where the cluster serves them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import BIN, Lab, eventually

SECRET = "the-brokers-password"
CREATE = ("cloud", "asg", "create")
TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer", "format": "int32"}


def fields(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def definition(kind: str, plural: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A CustomResourceDefinition with the fields that we use, by KEDA's names and types: others are refused."""
    schema = {"openAPIV3Schema": fields(spec=spec)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.keda.sh"},
        "spec": {
            "group": "keda.sh",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{"name": "v1alpha1", "served": True, "storage": True, "schema": schema}],
        },
    }


TRIGGER = fields(
    type=TEXT, metadata={"type": "object", "additionalProperties": TEXT}, authenticationRef=fields(name=TEXT)
)
SCALER = fields(
    scaleTargetRef=fields(apiVersion=TEXT, kind=TEXT, name=TEXT),
    pollingInterval=NUMBER,
    cooldownPeriod=NUMBER,
    minReplicaCount=NUMBER,
    maxReplicaCount=NUMBER,
    advanced=fields(
        horizontalPodAutoscalerConfig=fields(behavior=fields(scaleDown=fields(selectPolicy=TEXT)))
    ),
    triggers={"type": "array", "items": TRIGGER},
)  # fmt: skip
LOGIN = fields(secretTargetRef={"type": "array", "items": fields(parameter=TEXT, name=TEXT, key=TEXT)})
DEFINITIONS = [
    definition("ScaledObject", "scaledobjects", SCALER),
    definition("TriggerAuthentication", "triggerauthentications", LOGIN),
]


@dataclass
class Place:
    """A site whose namespace is the test's own."""

    lab: Lab
    home: Path
    namespace: str

    def run(self, *argv: str, code: int = 0, text: str = "") -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "KUBECONFIG": self.lab.kubeconfig, "SDS_HOME": str(self.home)}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, input=text, check=False, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def sds(self, *argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run(str(BIN / "sds"), *argv, code=code)

    def kubectl(self, *argv: str, text: str = "") -> str:
        return self.run(f"{self.lab.tools}/kubectl", "-n", self.namespace, *argv, text=text).stdout

    def scalers(self) -> dict[str, Any]:
        found = json.loads(self.kubectl("get", "scaledobjects", "-o", "json"))["items"]
        return {o["metadata"]["name"]: o["spec"] for o in found}


@pytest.fixture
def place(lab: Lab, namespace: str, tmp_path: Path) -> Place:
    queues = [
        {"QUEUE_NAME": "small_jobs", "INSTANCE_TYPES": ["t3.small"]},
        {"QUEUE_NAME": "large", "INSTANCE_TYPES": ["m5.large"], "TOTAL_JOBS_METRIC": True, "PROCESSES": 2},
    ]
    login = {"MOZART_RABBIT_USER": "sds", "MOZART_RABBIT_PASSWORD": SECRET}
    (tmp_path / "config").write_text(yaml.safe_dump({"MOZART_PVT_IP": "10.0.0.11", "QUEUES": queues, **login}))
    (tmp_path / "site.yaml").write_text(yaml.safe_dump({"namespace": namespace, "source": str(tmp_path)}))
    return Place(lab, tmp_path, namespace)


@pytest.fixture
def keda(place: Place) -> Iterator[Place]:
    """The cluster serves KEDA's kinds; nothing acts on them."""
    place.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(DEFINITIONS))
    for found in DEFINITIONS:
        place.kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{found['metadata']['name']}")
    yield place
    names = [f"crd/{d['metadata']['name']}" for d in DEFINITIONS]
    place.kubectl("delete", "--wait=true", *names)


def test_without_keda_the_objects_are_printed_and_nothing_is_applied(place: Place) -> None:
    done = place.sds(*CREATE, "-f", code=1)
    assert "KEDA is not installed" in done.stderr and "install KEDA" in done.stderr
    objects = list(yaml.safe_load_all(done.stdout))
    assert [o["kind"] for o in objects] == ["TriggerAuthentication", "ScaledObject", "ScaledObject"]
    assert not (place.home / "runs").exists()
    assert place.sds(*CREATE, "--dry-run", code=1).stdout == done.stdout
    assert "small_jobs" in place.sds(*CREATE, "-f", "--set", "QUEUES=smalljobs", code=2).stderr
    assert "MIN_SIZE" in place.sds(*CREATE, "-f", "--set", "MIN_SIZE=1", code=2).stderr


def test_with_keda_each_queue_gets_its_scaler(keda: Place) -> None:
    plan = json.loads(keda.sds(*CREATE, "--dry-run", "-o", "json").stdout)
    assert [c["change"] for c in plan["plan"]["children"]] == ["create"] * 3
    assert any("Deployment/verdi-worker-large does not exist yet" in note for note in plan["notes"])
    assert not keda.scalers()
    keda.sds(*CREATE, "-f", "--set", "MAX_SIZE=4")
    found = eventually(keda.scalers)
    small, large = found["verdi-worker-small-jobs"], found["verdi-worker-large"]
    assert small["scaleTargetRef"]["name"] == "verdi-worker-small-jobs"
    assert (small["minReplicaCount"], small["maxReplicaCount"]) == (0, 4)
    host = f"http://rabbitmq.{keda.namespace}.svc:15672/"
    counted = {
        name: [(t["metadata"]["excludeUnacknowledged"], t["metadata"]["value"]) for t in spec["triggers"]]
        for name, spec in found.items()
    }
    # Waiting messages alone would let busy pods go with the last one that waits: the second trigger keeps them.
    assert counted["verdi-worker-small-jobs"] == [("true", "1"), ("false", "1000000")]
    assert counted["verdi-worker-large"] == [("false", "2")]
    assert {t["metadata"]["host"] for spec in found.values() for t in spec["triggers"]} == {host}
    assert large["triggers"][0]["metadata"]["queueName"] == "large"
    (login,) = json.loads(keda.kubectl("get", "triggerauthentications", "-o", "json"))["items"]
    refs = {r["parameter"]: (r["name"], r["key"]) for r in login["spec"]["secretTargetRef"]}
    assert refs == {"username": ("rabbitmq-auth", "username"), "password": ("rabbitmq-auth", "password")}
    assert small["triggers"][0]["authenticationRef"]["name"] == login["metadata"]["name"]
    assert "nothing to do" in keda.sds(*CREATE, "-f", "--set", "MAX_SIZE=4").stdout
    again = json.loads(keda.sds(*CREATE, "-f", "--set", "MAX_SIZE=6", "-o", "json").stdout)
    assert [s["title"].split()[0] for s in again["steps"]] == ["update", "update"]
    assert {spec["maxReplicaCount"] for spec in keda.scalers().values()} == {6}
    assert "no terminal" in keda.sds(*CREATE, code=1).stderr
