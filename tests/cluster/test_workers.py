"""Workers that are stopped and killed while jobs run: every job is completed, with one document and one dataset.

SDSK8S_STOPS and SDSK8S_KILLS: how many of each (4 and 2).
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT, System, eventually
from test_verbs import started_jobs

pytestmark = pytest.mark.lab

QUEUE = "dumby-job_worker-large"
WORKER = "verdi-worker-dumby-job-worker-large"
STOPS, KILLS = (int(os.environ.get(f"SDSK8S_{word}", n)) for word, n in (("STOPS", "4"), ("KILLS", "2")))
JOBS = 6
"""Submitted before each stop or kill; they sleep two seconds, and two of them run at a time."""


class Worker:
    """The pods of the queue, by kubectl alone."""

    def __init__(self, system: System) -> None:
        self.system = system

    def pod(self) -> str:
        found = self.system.pods(f"app.kubernetes.io/name={WORKER}")
        names = [p["metadata"]["name"] for p in found if not p["metadata"].get("deletionTimestamp")]
        return str(names[0])

    def ctl(self, *argv: str) -> str:
        conf = ("supervisorctl", "-c", "/opt/sds/etc/supervisord.conf")
        return self.system.kubectl("exec", self.pod(), "-c", "worker", "--", *conf, *argv, ok=False).out

    def kill(self, program: str) -> None:
        pid = self.ctl("pid", program).strip()
        code = f"import os; os.kill({int(pid)}, 9)"
        self.system.kubectl("exec", self.pod(), "-c", "worker", "--", "/opt/sds/venv/bin/python", "-c", code)

    def ready(self) -> None:
        self.system.kubectl("rollout", "status", f"deployment/{WORKER}", "--timeout=120s")

    def stop_pod(self) -> None:
        self.system.kubectl("delete", "pod", self.pod(), "--wait=false")

    def stop_scale(self) -> None:
        self.system.kubectl("scale", f"deployment/{WORKER}", "--replicas=0")
        time.sleep(1)
        self.system.kubectl("scale", f"deployment/{WORKER}", "--replicas=1")

    def stop_rollout(self) -> None:
        self.system.kubectl("rollout", "restart", f"deployment/{WORKER}")

    def kill_program(self) -> None:
        self.kill("job_worker:job_worker-00")

    def kill_pod(self) -> None:
        self.system.kubectl("delete", "pod", self.pod(), "--force", "--grace-period=0", "--wait=false")


@pytest.fixture
def worker(system: System) -> Iterator[Worker]:
    made = Worker(system)
    made.ready()
    yield made
    made.ready()


def load(system: System, count: int) -> subprocess.Popen[str]:
    """The demo site's client in the background."""
    script = str(ROOT / "examples" / "demo-site" / "smoke.py")
    urls = ["--mozart", system.url("mozart"), "--grq", system.url("grq")]
    what = ["--count", str(count), "--sleep", "2", "--queue", QUEUE, "--timeout", "300", "-o", "json"]
    return subprocess.Popen([sys.executable, script, *urls, *what], stdout=subprocess.PIPE, text=True, env=system.env)


def left_in_broker(system: System) -> list[str]:
    """Lines "queue messages" of queues of jobs that hold any, with those that a worker has not acknowledged."""
    pod = system.pods("app.kubernetes.io/name=rabbitmq")[0]["metadata"]["name"]
    out = system.kubectl("exec", pod, "--", "rabbitmqctl", "-q", "list_queues", "name", "messages").out
    lines = [line.split() for line in out.splitlines()]
    return [" ".join(words) for words in lines if len(words) == 2 and words[0] == QUEUE and words[1] != "0"]


def indexed(system: System, index: str, field: str) -> Counter[tuple[str, str]]:
    """{(value of the field, status): how many documents}."""
    pod = system.pods("app.kubernetes.io/name=elasticsearch")[0]["metadata"]["name"]
    url = f"http://localhost:9200/{index}/_search?size=10000&_source={field},status"
    hits = json.loads(system.kubectl("exec", pod, "--", "curl", "-fsS", url).out)["hits"]["hits"]
    return Counter((hit["_source"].get(field, ""), hit["_source"].get("status", "")) for hit in hits)


def test_a_killed_worker_comes_back_under_another_name_and_the_job_is_not_lost(system: System, worker: Worker) -> None:
    def names() -> set[str]:
        return set(
            re.findall(
                rf"celery@({re.escape(QUEUE)}\S+) ready", worker.ctl("tail", "-50000", "job_worker:job_worker-00")
            )
        )

    before = eventually(names)
    jobs = load(system, 4)
    eventually(lambda: started_jobs(system), every=0.2)
    worker.kill("job_worker:job_worker-00")
    result = json.loads(jobs.communicate(timeout=320)[0])
    assert result["completed"] == 4, result
    eventually(lambda: len(names() - before) == 1)
    pod = worker.pod()
    assert all(re.fullmatch(rf"{re.escape(QUEUE)}\.00\.{re.escape(pod)}\.[0-9a-f]{{10}}", name) for name in names())
    lines = system.kubectl("logs", pod, "-c", "worker").out
    assert "[job_worker-00] " in lines and "[job_worker-01] " in lines
    spec = system.get("deployment", WORKER)["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 60


def test_stops_and_kills_under_load_lose_nothing_and_double_nothing(system: System, worker: Worker) -> None:
    stops = itertools.cycle([worker.stop_pod, worker.stop_scale, worker.stop_rollout])
    kills = itertools.cycle([worker.kill_program, worker.kill_pod])
    actions = [next(stops) for _ in range(STOPS)]
    for i in range(KILLS):
        actions.insert((i + 1) * len(actions) // (KILLS + 1), next(kills))
    loads = []
    for act in actions:
        loads.append(load(system, JOBS))
        eventually(lambda: started_jobs(system), every=0.2)
        act()
        time.sleep(1)
        worker.ready()
    jobs: list[dict[str, Any]] = []
    for running in loads:
        jobs += json.loads(running.communicate(timeout=320)[0])["jobs"]
    assert len({j["id"] for j in jobs}) == len(jobs) == JOBS * len(actions)
    assert [j for j in jobs if j["status"] != "job-completed" or not j["dataset"]] == []
    assert eventually(lambda: not left_in_broker(system), timeout=30, every=2), (
        "nothing waits, nothing is unacknowledged"
    )
    again = [j for j in jobs if j["deliveries"] > 1]
    print(f"{STOPS} stops, {KILLS} kills: {len(jobs)} jobs, {len(again)} of them run more than once")
    ids = {j["id"] for j in jobs}
    for index, field, status in (("job_status-*", "id", "job-completed"), ("grq_v1_*", "job_id", "")):
        found = {key: n for key, n in indexed(system, index, field).items() if key[0] in ids}
        assert found == {(ident, status): 1 for ident in ids}, index


@pytest.mark.parametrize(
    ("queue", "workload"),
    [
        ("dumby-job_worker-small", "verdi-worker-dumby-job-worker-small-"),
        (QUEUE, f"{WORKER}-"),
        ("factotum-job_worker-small", "factotum-job-worker-small-"),
        ("factotum-job_worker-large", "factotum-job-worker-large-"),
    ],
)
def test_a_message_of_a_queue_is_taken_by_a_pod_of_that_queue(system: System, queue: str, workload: str) -> None:
    (job,) = system.smoke("--queue", queue, "-o", "json").json["jobs"]
    assert job["node"].startswith(workload) and job["worker"].startswith(f"celery@{queue}.0")


def test_a_program_is_stopped_started_and_restarted_inside_its_pod(system: System, worker: Worker) -> None:
    target, pod = f"verdi/{WORKER}:job_worker-01", worker.pod()
    system.sdsk8s("stop", target, "--yes")
    states = dict(line.split()[:2] for line in worker.ctl("status").splitlines())
    assert states["job_worker:job_worker-01"] == "STOPPED" and states["job_worker:job_worker-00"] == "RUNNING"
    system.sdsk8s("start", target, "--yes")
    old = worker.ctl("pid", "job_worker:job_worker-01")
    system.sdsk8s("restart", target, "--yes")
    assert worker.ctl("pid", "job_worker:job_worker-01") not in ("", "0", old)
    assert worker.pod() == pod
    wrong = system.sdsk8s("restart", f"verdi/{WORKER}:job_workr", "--yes", ok=False)
    assert wrong.code == 2 and 'did you mean "job_worker"' in wrong.err
