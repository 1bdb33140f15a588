"""The indexer image beside a Redis with TLS: records arrive, also when the indexer goes away."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from conftest import ROOT, System, eventually

pytestmark = pytest.mark.lab

NAME = "t-indexer"
SETTINGS: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "runAsGroup": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
HARD = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
REDIS = f"rediss://:pw@{NAME}-redis:6380/0"
CONFIG = {
    "redis": REDIS,
    "list": "records",
    "search": "http://elasticsearch:9200",
    "rules": [
        {"when": {"resource": "failed"}, "index": f"{NAME}-failed", "id": "{id}", "delete": f"{NAME}-jobs"},
        {"when": {"resource": "job"}, "index": f"{NAME}-jobs", "id": "{id}"},
    ],
}
# Run in the indexer's pod, which has the libraries.
SEND = """
import sys, json, msgpack, redis
r = redis.Redis.from_url(sys.argv[1], ssl_cert_reqs="none")
for record in json.load(sys.stdin):
    r.rpush(sys.argv[2], msgpack.dumps(record))
"""


def pod(name: str, image: str, files: str, path: str, **env: str) -> list[dict[str, Any]]:
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": k, "value": v} for k, v in env.items()],
        "securityContext": HARD,
        "volumeMounts": [
            {"name": "files", "mountPath": path},
            *({"name": "run", "mountPath": p, "subPath": p[1:]} for p in ("/tmp", "/run/sds", "/var/lib/redis")),
        ],
    }
    volumes = [
        {"name": "files", "secret": {"secretName": files, "defaultMode": 0o440}},
        {"name": "run", "emptyDir": {}},
    ]
    spec = {"securityContext": SETTINGS, "containers": [container], "volumes": volumes, "enableServiceLinks": False}
    meta = {"labels": {"test": name}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"test": name}}, "template": {"metadata": meta, "spec": spec}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"clusterIP": "None", "selector": {"test": name}},
        },
    ]


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def indexer(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The demo system with both pods beside it; what is made is taken away again."""
    home = tmp_path_factory.mktemp("indexer") / "sds"
    shutil.copytree(system.home, home, ignore=shutil.ignore_patterns("runs", "builds"))
    folder = home / "mine/t"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text("name: t\nimages:\n  indexer: {dockerfile: indexer}\n")
    site = yaml.safe_load((home / "site.yaml").read_text())
    (home / "site.yaml").write_text(yaml.safe_dump({**site, "manifests": ["mine"]}))
    ours = replace(system, home=home, env={**system.env, "SDS_HOME": str(home)})
    (row,) = ours.sdsk8s("images", "push", "indexer", "-o", "json").json["images"]
    stores = system.get("statefulset", "redis")["spec"]["template"]["spec"]["containers"][0]["image"]
    cert, key = load(ROOT / "examples/hysds-site/prepare.py").tls_pair(f"{NAME}-redis")
    secrets = {f"{NAME}-redis": {"tls.crt": cert, "tls.key": key}, NAME: {"indexer.json": json.dumps(CONFIG)}}
    objects = [
        *({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": n}, "stringData": d} for n, d in secrets.items()),
        *pod(f"{NAME}-redis", stores, f"{NAME}-redis", "/opt/sds/tls", REDIS_PASSWORD="pw"),
        *pod(NAME, row["reference"], NAME, "/opt/sds/etc"),
    ]
    file = home / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    try:
        system.kubectl("apply", "-f", str(file))
        for name in (f"{NAME}-redis", NAME):
            system.kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")
        # the name of a Service is known a moment after its pod is ready
        system.kubectl("exec", f"deploy/{NAME}", "--", "sds-wait", "--timeout", "60", f"tcp://{NAME}-redis:6380")
        yield system
    finally:
        system.kubectl("delete", "-f", str(file), "--wait=false", "--ignore-not-found", ok=False)
        for index in ("jobs", "failed"):
            search(system, "-X", "DELETE", f"{NAME}-{index}")


def search(system: System, *argv: str) -> Any:
    *options, path = argv
    done = system.kubectl("exec", "elasticsearch-0", "--", "curl", "-s", *options, f"http://127.0.0.1:9200/{path}")
    return json.loads(done.out)


def send(system: System, records: list[dict[str, Any]], key: str = "records") -> None:
    argv = ["kubectl", "-n", system.namespace, "exec", "-i", f"deploy/{NAME}", "--", "python3", "-c", SEND, REDIS, key]
    subprocess.run(argv, input=json.dumps(records).encode(), env=system.env, check=True, timeout=60)


def ids(system: System, index: str) -> set[str]:
    search(system, "-X", "POST", f"{NAME}-{index}/_refresh")
    hits = search(system, f"{NAME}-{index}/_search?size=5000&_source=false").get("hits", {}).get("hits", [])
    return {hit["_id"] for hit in hits}


def test_records_arrive_by_the_rules_of_the_file(indexer: System) -> None:
    send(indexer, [{"resource": "job", "id": "a"}, {"resource": "job", "id": "b"}, {"resource": "other"}])
    eventually(lambda: ids(indexer, "jobs") == {"a", "b"}, timeout=30)
    send(indexer, [{"resource": "failed", "id": "a"}])
    eventually(lambda: ids(indexer, "failed") == {"a"} and ids(indexer, "jobs") == {"b"}, timeout=30)


def test_a_pod_that_goes_away_loses_no_record(indexer: System) -> None:
    wanted = {f"k{n}" for n in range(4000)}
    send(indexer, [{"resource": "job", "id": name} for name in sorted(wanted)])
    indexer.kubectl("delete", "pod", "-l", f"test={NAME}", "--grace-period=0", "--force", "--wait=false")
    eventually(lambda: wanted <= ids(indexer, "jobs"), timeout=120, every=2)


def test_what_a_killed_process_held_is_taken_back(indexer: System) -> None:
    """The list that it moved records to is there, its sign of life is not."""
    indexer.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=120s")
    send(indexer, [{"resource": "job", "id": "held"}], "records.taken.gone-7")
    eventually(lambda: "held" in ids(indexer, "jobs"), timeout=60, every=2)
