"""update: only what changed rolls, without a failed request; what cannot start is named within seconds."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request

import pytest
from conftest import System, at_most, eventually

pytestmark = pytest.mark.lab


def images(system: System) -> dict[str, str]:
    found = system.get("deployments", "-l", "app.kubernetes.io/part-of=sds")["items"]
    return {d["metadata"]["name"]: d["spec"]["template"]["spec"]["containers"][0]["image"] for d in found}


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as reply:
        body: bytes = reply.read()
        return body


def test_second_run_changes_nothing(system: System) -> None:
    before = system.workloads()
    done = system.sds("update", "all", "-f")
    assert "nothing to do" in done.out and done.out.count("no change in code or configuration") == 5
    assert system.workloads() == before


def test_everything_runs_by_digest(system: System) -> None:
    for name, image in images(system).items():
        assert "@sha256:" in image, name
    for pod in system.pods("app.kubernetes.io/part-of=sds"):
        for c in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
            assert "@sha256:" in c["image"], pod["metadata"]["name"]


def test_config_only_rolls_only_dependents_and_keeps_images(system: System) -> None:
    before, old = system.workloads(), images(system)
    template = system.home / "files" / "indexer.conf.mozart"
    text = template.read_text()
    try:
        template.write_text(text.replace('"list": "logstash",', '"list": "logstash", "note": "changed",'))
        plan = system.sds("update", "mozart", "-f", "-c", "--dry-run")
        assert "Secret/mozart-indexer" in plan.out and "build" not in plan.out
        assert system.workloads() == before
        system.sds("update", "mozart", "-f", "-c")
        after = system.workloads()
        assert {k for k in after if after[k] != before[k]} == {"Deployment/mozart-indexer"}
        assert images(system) == old
    finally:
        template.write_text(text)
        system.sds("update", "mozart", "-f", "-c")


def test_one_line_change_rolls_without_a_failed_request(system: System) -> None:
    file = system.tree / "mozart" / "mozart" / "api.py"
    text, old = file.read_text(), images(system)
    url = system.url("mozart") + "/api/v0.1/version"
    results: list[int] = []
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            try:
                with urllib.request.urlopen(url, timeout=10) as reply:
                    results.append(reply.status)
            except (OSError, urllib.error.HTTPError):
                results.append(0)
            time.sleep(0.05)

    thread = threading.Thread(target=client)
    thread.start()
    try:
        file.write_text(text.replace('version="1.0.0"', 'version="1.0.1"'))
        done = system.sds("update", "mozart", "-f")
        while len(results) < 200:
            time.sleep(0.1)
    finally:
        stop.set()
        thread.join()
        file.write_text(text)
    assert "update mozart: done" in done.out
    assert len(results) >= 200 and results.count(200) == len(results), (
        f"{len(results)} requests, {results.count(0)} failed"
    )
    # Endpoints of old pods leave the nodes' tables a moment after the rollout is complete.
    eventually(lambda: all(b"1.0.1" in fetch(url) for _ in range(5)), timeout=10)
    new = images(system)
    assert new["mozart-api"] != old["mozart-api"]
    assert {n: i for n, i in new.items() if not n.startswith("mozart")} == {
        n: i for n, i in old.items() if not n.startswith("mozart")
    }
    system.sds("update", "mozart", "-f")


def test_stopped_stays_stopped(system: System) -> None:
    system.sds("stop", "metrics", "-f")
    file = system.tree / "indexer" / "indexer" / "__init__.py"
    text = file.read_text()
    try:
        file.write_text(text + "# changed\n")
        done = system.sds("update", "metrics", "-f")
        assert "stays stopped" in done.out
        assert system.get("deployment", "metrics-writer")["spec"]["replicas"] == 0
    finally:
        file.write_text(text)
        system.sds("update", "metrics", "-f")
        system.sds("start", "metrics", "-f")


def test_code_that_cannot_start_is_named_with_its_log_within_twenty_seconds_of_the_crash(system: System) -> None:
    file = system.tree / "grq2" / "grq2" / "__init__.py"
    text = file.read_text()
    try:
        file.write_text("raise RuntimeError('deliberately broken')\n" + text)
        done = system.sds("update", "grq", "-f", ok=False)
        assert done.code == 1 and "deliberately broken" in done.err and "grq-api" in done.err
        assert done.seconds < at_most(90)
        # The old revision goes on serving.
        with urllib.request.urlopen(system.url("grq") + "/api/v0.1/swagger.json", timeout=10) as reply:
            assert reply.status == 200
    finally:
        file.write_text(text)
        system.sds("update", "grq", "-f")


def test_a_worker_that_cannot_import_its_code_is_named_and_the_earlier_one_goes_on(system: System) -> None:
    """Its program is STARTING again and again for a while, which is not ready."""
    file = system.tree / "hysds" / "hysds" / "job_worker.py"
    text = file.read_text()
    before = images(system)
    try:
        file.write_text(text + "import no_such_module\n")
        done = system.sds("update", "verdi", "-f", ok=False)
        assert (
            done.code == 1 and "No module named 'no_such_module'" in done.err and "rolled back" in done.out + done.err
        )
        assert images(system) == before
    finally:
        file.write_text(text)
        system.sds("update", "verdi", "-f")


def test_image_that_cannot_be_pulled_is_named_within_twenty_seconds(system: System) -> None:
    site = system.home / "site.yaml"
    text = site.read_text()
    ref = f"{system.lab.registry}/demo/nothing-there:1"
    try:
        site.write_text(text.replace("images:\n", f"images:\n  metrics: {ref}\n"))
        done = system.sdsk8s("update", "metrics", "--yes", ok=False)
        assert (done.code in (1, 3) and "ErrImagePull" in done.err) or "ImagePullBackOff" in done.err
        assert ref in done.err and "not found" in done.err
        assert done.seconds < at_most(25)
    finally:
        site.write_text(text)
        system.sds("update", "metrics", "-f")


def test_journal_and_lock_of_a_run(system: System) -> None:
    runs = system.sdsk8s("runs", "ls", "-o", "json").json["runs"]
    assert runs[0]["verb"] in ("update", "start", "stop", "reset", "roll back") and runs[0]["state"] in (
        "done",
        "partial",
        "failed",
    )
    first = system.run("sdsk8s", "stop", "metrics", "--yes", "--dry-run", "-o", "json").json
    assert first["plan"]["children"][0]["group"].startswith("stop")
    eventually(lambda: system.sdsk8s("lock", "status").out)


def test_a_changed_password_reaches_store_and_clients(system: System) -> None:
    config = system.home / "config"
    text = config.read_text()
    old = next(line.split(": ")[1].strip('"') for line in text.splitlines() if line.startswith("MOZART_REDIS_PASSWORD"))
    try:
        config.write_text(text.replace(old, "another-password-for-redis"))
        done = system.sds("update", "all", "-f", "-c")
        assert "redis restarts with a new configuration" in done.out
        assert "another-password" not in done.out + done.err
        system.smoke("--timeout", "120")
    finally:
        config.write_text(text)
        system.sds("update", "all", "-f", "-c")
        system.smoke("--timeout", "120")
