"""What breaks in a real cluster: stores, programs, nodes; and two operators at once."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from conftest import BIN, System, eventually
from test_verbs import count

pytestmark = pytest.mark.lab


def test_status_with_one_store_down_still_shows_everything_else(system: System) -> None:
    system.kubectl("scale", "statefulset/redis", "--replicas=0")
    try:
        eventually(lambda: not system.pods("app.kubernetes.io/name=redis"))
        done = system.sds("status", "all", ok=False)
        assert "redis: INACTIVE" in done.out or "redis: UNKNOWN" in done.out
        assert "rabbitmq-server: ACTIVE" in done.out and "elasticsearch: ACTIVE" in done.out
        assert "Deployment/grq-api" in done.out and "Deployment/factotum-user-rules" in done.out
        facts = system.sdsk8s("status", "-o", "json", ok=False)
        assert facts.code == 1 and facts.json
    finally:
        system.kubectl("scale", "statefulset/redis", "--replicas=1")
        system.kubectl("rollout", "status", "statefulset/redis", "--timeout=120s")
    eventually(lambda: system.sds("status", "all", ok=False).code == 0, timeout=120, every=3)


def test_a_killed_program_is_shown_and_comes_back_without_a_container_restart(system: System) -> None:
    pod = system.pods("app.kubernetes.io/name=factotum-user-rules")[0]["metadata"]["name"]

    def ctl(*argv: str) -> str:
        return system.kubectl(
            "exec",
            pod,
            "-c",
            "user-rules",
            "--",
            "supervisorctl",
            "-c",
            "/opt/sds/etc/supervisord.conf",
            *argv,
            ok=False,
        ).out

    old = ctl("pid", "user_rules_job:user_rules_job-00").strip()
    ctl("stop", "user_rules_job:user_rules_job-00")
    done = system.sds("status", "factotum", ok=False)
    assert "user_rules_job-00" in done.out and "STOPPED" in done.out
    ctl("start", "user_rules_job:user_rules_job-00")
    assert ctl("pid", "user_rules_job:user_rules_job-00").strip() not in ("", old)
    assert "STOPPED" not in system.sds("status", "factotum", ok=False).out
    status = system.pods("app.kubernetes.io/name=factotum-user-rules")[0]["status"]
    assert status["containerStatuses"][0]["restartCount"] == 0


def restarts(system: System, workload: str) -> dict[str, int]:
    """{UID of a pod: how often its containers were started again}."""
    pods = system.pods(f"app.kubernetes.io/name={workload}")
    return {p["metadata"]["uid"]: sum(c["restartCount"] for c in p["status"]["containerStatuses"]) for p in pods}


def test_a_workload_that_runs_out_of_memory_is_named_and_its_siblings_go_on(system: System) -> None:
    before = restarts(system, "mozart-api")
    before_limits = system.get("deployment", "mozart-events")["spec"]["template"]["spec"]["containers"][0]["resources"]
    limits = {**before_limits, "requests": {"memory": "16Mi"}, "limits": {"memory": "32Mi"}}
    path = "/spec/template/spec/containers/0/resources"

    def set_limits(value: dict[str, dict[str, str]]) -> None:
        patch = json.dumps([{"op": "replace", "path": path, "value": value}])
        system.kubectl("patch", "deployment", "mozart-events", "--type=json", "-p", patch)

    set_limits(limits)
    try:
        told = eventually(
            lambda: (d := system.sds("status", "mozart", ok=False)).code == 1 and "OOMKilled" in d.out and d.out,
            timeout=120, every=2,
        )  # fmt: skip
        assert any("mozart-events" in line or "events" in line for line in told.splitlines() if "OOMKilled" in line)
        assert restarts(system, "mozart-api") == before
    finally:
        set_limits(before_limits)
        system.kubectl("rollout", "status", "deployment/mozart-events", "--timeout=180s")
    assert restarts(system, "mozart-api") == before


def test_a_component_whose_broker_is_late_waits_without_a_crash_and_is_ready_then(system: System) -> None:
    system.kubectl("scale", "statefulset/rabbitmq", "--replicas=0")
    try:
        eventually(lambda: not system.pods("app.kubernetes.io/name=rabbitmq"))
        for pod in system.pods("app.kubernetes.io/name=mozart-orchestrator"):
            system.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")

        def waiting() -> bool:
            states = [p["status"].get("initContainerStatuses") or [{}] for p in
                      system.pods("app.kubernetes.io/name=mozart-orchestrator")
                      if not p["metadata"].get("deletionTimestamp")]  # fmt: skip
            return bool(states) and all("running" in s[0].get("state", {}) for s in states)

        eventually(waiting, timeout=60)
        time.sleep(10)  # long enough for a crash loop to show
        assert waiting()
    finally:
        system.kubectl("scale", "statefulset/rabbitmq", "--replicas=1")
    system.kubectl("rollout", "status", "deployment/mozart-orchestrator", "--timeout=180s")
    assert list(restarts(system, "mozart-orchestrator").values()) == [0]
    eventually(lambda: system.sds("status", "all", ok=False).code == 0, timeout=120, every=3)


def test_two_operators_at_once_are_kept_apart(system: System) -> None:
    first = subprocess.Popen([str(BIN / "sdsk8s"), "reset", "metrics", "--yes"], env=system.env,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    eventually(lambda: "reset metrics" in system.sdsk8s("lock", "status").out, timeout=20, every=0.2)
    second = system.sdsk8s("stop", "grq", "--yes", ok=False)
    assert second.code == 4 and "reset metrics" in second.err and "--lock-wait" in second.err
    first.communicate(timeout=180)
    assert first.returncode == 0
    assert system.pods("sdsk8s/component=grq")


def test_a_killed_run_blocks_nobody_for_long_and_leaves_its_journal(system: System) -> None:
    process = subprocess.Popen([str(BIN / "sdsk8s"), "reset", "metrics", "--yes"], env=system.env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    eventually(lambda: "reset metrics" in system.sdsk8s("lock", "status").out, timeout=20, every=0.2)
    time.sleep(1)
    process.kill()
    process.wait()
    done = system.sdsk8s("start", "metrics", "--yes", "--lock-wait", "60")
    assert "taking over the lock" in done.err
    assert system.pods("sdsk8s/component=metrics")
    states = [r["state"] for r in system.sdsk8s("runs", "ls", "-o", "json").json["runs"] if r["verb"] == "reset"]
    assert states[0] != "done"


def test_data_survives_the_loss_of_a_node(system: System) -> None:
    """The node's kubelet is gone for good as far as the cluster knows: its pods start elsewhere, with their claims."""
    node = next(p["spec"]["nodeName"] for p in system.pods("app.kubernetes.io/name=elasticsearch"))
    datasets = count(system, "grq_v1_*")
    claim = system.get("pvc", "data-elasticsearch-0")["metadata"]["uid"]
    system.kubectl("cordon", node)
    try:
        victims = [
            p["metadata"]["name"]
            for p in system.pods("app.kubernetes.io/part-of=sds")
            if p["spec"].get("nodeName") == node
        ]
        system.kubectl("delete", "pod", *victims, "--grace-period=0", "--force")
        for store in ("elasticsearch", "redis", "rabbitmq"):
            system.kubectl("rollout", "status", f"statefulset/{store}", "--timeout=180s")
        moved = system.pods("app.kubernetes.io/name=elasticsearch")[0]["spec"]["nodeName"]
        assert moved != node
        assert system.get("pvc", "data-elasticsearch-0")["metadata"]["uid"] == claim
        assert eventually(lambda: count(system, "grq_v1_*") == datasets, timeout=60)
        eventually(lambda: system.sds("status", "all", ok=False).code == 0, timeout=180, every=3)
        system.smoke("--timeout", "90")
    finally:
        system.kubectl("uncordon", node)


def test_logs_of_a_component_show_a_marker_of_several_pods(system: System) -> None:
    done = system.smoke("-o", "json", "--timeout", "90")
    node = done.json["jobs"][0]["node"]
    logs = system.sdsk8s("logs", "factotum", "--tail", "200")
    assert node in logs.out and "run_job" in logs.out
