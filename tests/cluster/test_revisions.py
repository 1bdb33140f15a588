"""Revisions of components: undo, the way back from a failed update, restart, redeploy, and a killed update."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import BIN, System, as_published, at_most, eventually, relabelled

from sdsk8s.backends.registry import Registry

pytestmark = pytest.mark.lab
API = "grq-api"


def image(system: System, name: str = API) -> str:
    return str(system.get("deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"])


def config_hash(system: System, name: str = API) -> str:
    return str(system.get("deployment", name)["spec"]["template"]["metadata"]["annotations"]["sdsk8s/config-hash"])


def uids(system: System, selector: str) -> set[str]:
    """Pods that are to stay; one that is ending after its rollout does not count."""
    return {p["metadata"]["uid"] for p in system.pods(selector) if not p["metadata"].get("deletionTimestamp")}


@pytest.fixture
def code(system: System) -> Iterator[Path]:
    """A file of the component's tree; put back and rolled out again afterwards."""
    path = system.tree / "grq2" / "grq2" / "__init__.py"
    text = path.read_text()
    yield path
    path.write_text(text)
    system.sds("update", "grq", "-f")


def test_undo_brings_image_and_configuration_back_and_history_tells_why(system: System, code: Path) -> None:
    before = (image(system), config_hash(system))
    template = system.tree / "grq2" / "settings.cfg.tmpl"
    text = template.read_text()
    try:
        code.write_text(code.read_text() + "\n# a line\n")
        template.write_text(text + "\nNOTE = 'changed'\n")
        plan = system.sdsk8s("update", "grq", "--dry-run").out
        assert (
            "change: grq: " in plan and "~__init__.py" in plan.replace("grq2/", "") and "key grq2.settings.cfg" in plan
        )
        system.sdsk8s("update", "grq", "--yes", "-m", "a try")
        changed = (image(system), config_hash(system))
        assert changed[0] != before[0] and changed[1] != before[1]
        system.sdsk8s("undo", "grq", "--yes")
        assert (image(system), config_hash(system)) == before
    finally:
        template.write_text(text)
    rows = as_published("history", system.sdsk8s("history", "grq", "-o", "json").json)
    text = system.sdsk8s("history", "grq").out
    assert "a try" in text and "undo" in text, rows


def test_a_failed_update_names_its_cause_and_goes_back_by_itself(system: System, code: Path) -> None:
    before = image(system)
    code.write_text("raise RuntimeError('broken on purpose')\n" + code.read_text())
    done = system.sdsk8s("update", "grq", "--yes", "--timeout", "90", ok=False)
    assert done.code in (1, 3) and "broken on purpose" in done.out + done.err
    assert "rolled back" in done.out + done.err
    assert image(system) == before
    eventually(lambda: all(p["status"]["conditions"] for p in system.pods(f"app.kubernetes.io/name={API}")))
    assert system.sds("status", "grq").code == 0
    done = system.sdsk8s("update", "grq", "--yes", "--timeout", "90", "--no-rollback", ok=False)
    assert done.code in (1, 3) and image(system) != before
    system.sdsk8s("undo", "grq", "--yes")
    assert image(system) == before


def test_restart_of_one_workload_leaves_its_siblings_alone(system: System) -> None:
    own, others = "app.kubernetes.io/name=mozart-events", "app.kubernetes.io/name=mozart-api"
    before, siblings = uids(system, own), uids(system, others)
    system.sdsk8s("restart", "mozart/mozart-events", "--yes")
    assert uids(system, own).isdisjoint(before) and uids(system, others) == siblings


def test_redeploy_keeps_stores_and_claims(system: System) -> None:
    stores, claims = uids(system, "sdsk8s/component=redis"), system.get("pvc")["items"]
    before = uids(system, f"app.kubernetes.io/name={API}")
    system.sdsk8s("redeploy", "grq", "--yes")
    assert uids(system, f"app.kubernetes.io/name={API}").isdisjoint(before)
    assert uids(system, "sdsk8s/component=redis") == stores
    assert {c["metadata"]["uid"] for c in system.get("pvc")["items"]} == {c["metadata"]["uid"] for c in claims}


def test_redeploy_runs_what_a_moved_tag_means_now(system: System) -> None:
    registry, site = Registry(), system.home / "site.yaml"
    own, before = image(system, "metrics-writer"), site.read_text()
    ref = relabelled(registry, own, "1.0-moved", "first")
    data = yaml.safe_load(before)
    site.write_text(yaml.safe_dump({**data, "images": {**(data.get("images") or {}), "metrics": ref}}))
    try:
        system.sds("update", "metrics", "-f")
        first = image(system, "metrics-writer")
        assert first.startswith(f"{ref}@sha256:")
        relabelled(registry, own, "1.0-moved", "second")
        stores, claims = uids(system, "sdsk8s/component=redis"), system.get("pvc")["items"]
        plan = system.sdsk8s("redeploy", "metrics", "--dry-run").out
        assert "now points to another image" in plan and image(system, "metrics-writer") == first
        system.sdsk8s("redeploy", "metrics", "--yes")
        second = image(system, "metrics-writer")
        assert second == f"{ref}@{registry.digest(ref)}" != first
        running = {p["spec"]["containers"][0]["image"] for p in system.pods("app.kubernetes.io/name=metrics-writer")
                   if not p["metadata"].get("deletionTimestamp")}  # fmt: skip
        assert running == {second}
        assert uids(system, "sdsk8s/component=redis") == stores
        assert {c["metadata"]["uid"] for c in system.get("pvc")["items"]} == {c["metadata"]["uid"] for c in claims}
    finally:
        site.write_text(before)
        system.sds("update", "metrics", "-f")
    assert image(system, "metrics-writer") == own


def test_a_store_that_is_stuck_on_a_bad_revision_is_freed_on_the_way_back(system: System) -> None:
    """A StatefulSet waits for ever for a pod of the bad revision: putting the template back alone does not help."""
    site, path = system.home / "site.yaml", "{.spec.template.spec.containers[0].image}"
    good, before = system.kubectl("get", "statefulset", "redis", "-o", f"jsonpath={path}").out, site.read_text()
    claim = system.get("pvc", "data-redis-0")["metadata"]["uid"]
    bad = relabelled(Registry(), good, "1.0-bad", "bad", Entrypoint=["/bin/false"], Cmd=[])
    data = yaml.safe_load(before)
    site.write_text(yaml.safe_dump({**data, "images": {**(data.get("images") or {}), "redis": bad}}))
    try:
        done = system.sdsk8s("update", "redis", "--yes", "--timeout", "90", ok=False)
    finally:
        site.write_text(before)
    assert done.code == 3 and "rolled back to the previous revision" in done.err + done.out
    assert "delete pods of StatefulSet/redis that never became ready" in done.err
    assert system.kubectl("get", "statefulset", "redis", "-o", f"jsonpath={path}").out == good
    system.kubectl("rollout", "status", "statefulset/redis", "--timeout=60s")
    assert system.get("pvc", "data-redis-0")["metadata"]["uid"] == claim
    eventually(lambda: system.sds("status", "all", ok=False).code == 0, timeout=120, every=3)


def test_an_update_that_is_killed_leaves_a_system_that_serves_and_the_next_one_completes_it(
    system: System, code: Path
) -> None:
    code.write_text(code.read_text() + "\n# before the kill\n")
    run = subprocess.Popen(
        [str(BIN / "sdsk8s"), "update", "grq", "--yes"], env=system.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    before = image(system)
    eventually(lambda: image(system) != before or run.poll() is not None, timeout=120, every=0.2)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert system.sds("status", "grq", ok=False).out
    start = time.monotonic()
    done = system.sdsk8s("update", "grq", "--yes", "--timeout", "120", SDS_LOCK_WAIT="60")
    assert "grq" in done.out + done.err and time.monotonic() - start < at_most(120)
    assert system.sds("status", "grq").code == 0
