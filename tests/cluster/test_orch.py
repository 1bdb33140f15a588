"""`sds orch`: what was docker-compose on each host."""

from __future__ import annotations

from conftest import System


def test_pods_and_logs(system: System) -> None:
    lines = system.sds("orch", "ps", "grq").out.splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATE", "RESTARTS", "NODE"]
    ready = [line for line in lines if line.startswith("grq-api-")]
    assert ready and all(line.split()[1] == "yes" for line in ready)
    assert "metrics-" in system.sds("orch", "ps", "core").out
    assert system.sds("orch", "logs", "grq").out


def test_a_command_in_a_new_pod_keeps_its_words(system: System) -> None:
    before = {p["metadata"]["name"] for p in system.get("pods")["items"]}
    done = system.sds(
        "orch",
        "run",
        "grq",
        "-w",
        "/tmp",
        "python3",
        "-c",
        "import os, sys; print(os.getcwd(), sys.argv[1:])",
        "a b",
        "$HOME",
    )
    assert "/tmp ['a b', '$HOME']" in done.out
    done = system.sds("orch", "run", "grq", "sh", "-c", "echo said; exit 7", ok=False)
    assert done.code == 1 and "said" in done.out and "ended with 7" in done.err
    after = {p["metadata"]["name"] for p in system.get("pods")["items"] if not p["metadata"].get("deletionTimestamp")}
    assert after <= before, "the pod of the command is gone"


def test_what_compose_could_and_pods_cannot(system: System) -> None:
    done = system.sds("orch", "run", "grq", "-v", "/x:/y", "true", ok=False)
    assert done.code == 1 and "mount claims" in done.err
    done = system.sds("orch", "start", "grq", "-f", "-r", "v3.0.0", ok=False)
    assert done.code == 1 and "site.yaml" in done.err


def test_init_and_start_of_what_runs_change_nothing(system: System) -> None:
    before = system.workloads()
    assert "nothing to do" in system.sds("orch", "init", "grq", "-f").out
    assert "nothing to do" in system.sds("orch", "start", "grq", "-f").out
    assert system.workloads() == before


def test_the_stores_of_a_component_stop_and_start_with_their_data(system: System) -> None:
    system.smoke()
    claims = {c["metadata"]["uid"] for c in system.get("pvc")["items"]}
    done = system.sds("stop_tps", "grq", "-f")
    assert "also serve" in done.err and "mozart" in done.err
    assert not system.pods("sdsk8s/component=elasticsearch")
    system.sds("start_tps", "grq", "-f")
    assert system.pods("sdsk8s/component=elasticsearch")
    assert {c["metadata"]["uid"] for c in system.get("pvc")["items"]} == claims
    system.sds("start", "all", "-f")
    system.smoke()
