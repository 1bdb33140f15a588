"""ship on the lab: two queues, two artifacts, workers that run the new code; nothing half when it is cut."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN, System, eventually

pytestmark = pytest.mark.lab

QUEUES = ("dumby-job_worker-small", "dumby-job_worker-large")
WORKERS = tuple(f"verdi-worker-{q.replace('_', '-')}" for q in QUEUES)


@pytest.fixture
def code(system: System) -> Iterator[Path]:
    """A file of a package that bundles carry; afterwards the workers run what the tree had before."""
    file = system.tree / "hysds" / "hysds" / "__init__.py"
    text = file.read_text()
    yield file
    file.write_text(text)
    extra = system.tree / "hysds" / "big.bin"
    extra.unlink(missing_ok=True)
    system.sds("ship", SDS_LOCK_WAIT="120")


def template(system: System, worker: str) -> dict[str, Any]:
    found: dict[str, Any] = system.get("deployment", worker)["spec"]["template"]
    return found


def bundle(system: System, worker: str) -> str:
    return str(template(system, worker)["metadata"]["annotations"].get("sdsk8s/bundle", ""))


def tags(system: System) -> set[str]:
    found = set()
    for queue in QUEUES:
        url = f"http://{system.lab.registry}/v2/demo/bundle/{queue.replace('_', '-')}-demo/tags/list"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                found |= {f"{queue}:{tag}" for tag in json.load(reply)["tags"]}
        except urllib.error.HTTPError:
            continue
    return found


def imported(system: System, worker: str) -> str:
    """What a worker's own Python finds."""
    return system.kubectl(
        "exec", f"deployment/{worker}", "-c", "worker", "--", "python3", "-c",
        "import hysds, os; print(hysds.__file__, getattr(hysds, 'SHIPPED', ''))",
    ).out.strip()  # fmt: skip


def test_two_queues_two_artifacts_and_workers_that_run_them(system: System, code: Path) -> None:
    code.write_text(code.read_text() + "SHIPPED = 'first'\n")
    before = tags(system)
    plan = system.sds("ship", "--dry-run").out
    assert all(f"pack pods/{q}-demo.tbz2" in plan for q in QUEUES) and "hysds/hysds/__init__.py" in plan
    assert tags(system) == before
    done = system.sds("ship")
    assert "ship all queues: done" in done.out
    assert len(tags(system) - before) == 2
    for worker in WORKERS:
        assert imported(system, worker) == "/opt/sds/bundle/code/hysds/hysds/__init__.py first"
    shown = system.sds("status", "verdi").out
    assert shown.count(f"bundle {bundle(system, WORKERS[0])}") == 2
    # The same content again: nothing to do, nothing restarts. An update keeps the bundles.
    generations = system.workloads()
    assert "nothing to do" in system.sds("ship").out
    system.sds("update", "verdi", "-f", "-c")
    assert system.workloads() == generations
    # One queue alone.
    code.write_text(code.read_text() + "SHIPPED = 'second'\n")
    system.sdsk8s("ship", QUEUES[0], "--yes")
    assert imported(system, WORKERS[0]).endswith(" second") and imported(system, WORKERS[1]).endswith(" first")
    # Encrypted: the registry holds nothing that can be read, the workers run it all the same.
    system.sds("ship", "-e")
    assert imported(system, WORKERS[1]).endswith(" second")
    ref = next(e["value"] for e in template(system, WORKERS[1])["spec"]["initContainers"][0]["env"])
    repository, digest = ref.partition("/")[2].partition(":")[0], ref.rpartition("@")[2]
    with urllib.request.urlopen(manifest_request(system, repository, digest), timeout=10) as reply:
        layer = json.load(reply)["layers"][0]
    with urllib.request.urlopen(f"http://{system.lab.registry}/v2/{repository}/blobs/{layer['digest']}") as reply:
        assert reply.read(22) == b"age-encryption.org/v1\n"


def manifest_request(system: System, repository: str, digest: str) -> urllib.request.Request:
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    return urllib.request.Request(f"http://{system.lab.registry}/v2/{repository}/manifests/{digest}", headers=accept)


def test_a_killed_ship_leaves_the_workers_on_the_earlier_bundle(system: System, code: Path) -> None:
    system.sds("ship")
    old, before = {w: bundle(system, w) for w in WORKERS}, tags(system)
    (system.tree / "hysds" / "big.bin").write_bytes(os.urandom(40_000_000))  # seconds of packing and pushing
    earlier = set((system.home / "runs").iterdir())
    process = subprocess.Popen(
        [str(BIN / "sds"), "ship"], env=system.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    def packing() -> bool:
        records = [f / "journal.jsonl" for f in set((system.home / "runs").iterdir()) - earlier]
        return any('"begin"' in r.read_text() for r in records if r.exists())

    eventually(packing, timeout=120, every=0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert {w: bundle(system, w) for w in WORKERS} == old and tags(system) == before
    assert imported(system, WORKERS[0]).startswith("/opt/sds/bundle/code/")
    (system.tree / "hysds" / "big.bin").write_bytes(b"small")
    assert "done" in system.sds("ship", SDS_LOCK_WAIT="120").out


def test_a_bundle_that_is_refused_is_told_by_status_and_the_earlier_workers_go_on(system: System, code: Path) -> None:
    # What is refused, and that nothing is unpacked then: tests/ship/test_bundles.py
    system.sds("ship")
    worker = WORKERS[0]
    good = next(e["value"] for e in template(system, worker)["spec"]["initContainers"][0]["env"])
    bad = good.rpartition("@")[0] + "@sha256:" + "0" * 64
    patch = {"op": "replace", "path": "/spec/template/spec/initContainers/0/env/0/value"}
    try:
        system.kubectl("patch", "deployment", worker, "--type=json", "-p", json.dumps([{**patch, "value": bad}]))

        def told() -> bool:
            done = system.sds("status", "verdi", ok=False)
            return done.code == 1 and "init container bundle" in done.out and "HTTP 404" in done.out

        eventually(told, timeout=120, every=2)
        # The worker that runs the earlier bundle goes on.
        assert system.get("deployment", worker)["status"]["readyReplicas"] == 1
    finally:
        system.kubectl("patch", "deployment", worker, "--type=json", "-p", json.dumps([{**patch, "value": good}]))
        system.kubectl("rollout", "status", f"deployment/{worker}", "--timeout=180s")
