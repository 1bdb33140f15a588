"""Runs one job: work folder, subprocess, dataset, states. A job whose worker dies is delivered again and runs again."""

import getpass
import hashlib
import json
import os
import socket
import subprocess
import time
from datetime import datetime, timezone

import redis
import requests
from kombu.exceptions import OperationalError

from hysds import state
from hysds.celery import app

MAX_DELIVERIES = 10  # a job that kills its worker each time must end some day


def work_folder(job):
    root = os.environ.get("HYSDS_ROOT_WORK_DIR") or app.conf["ROOT_WORK_DIR"]
    day = datetime.now(timezone.utc).strftime("%Y/%m/%d/%H/%M")
    path = os.path.join(root, "jobs", day, job["id"])
    os.makedirs(path, exist_ok=True)
    return path


def _write(folder, name, content):
    with open(os.path.join(folder, name), "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))


def execute(job, folder):
    """Exit code of the job's command; its output is in _stdout.txt and _stderr.txt while it runs."""
    with open(os.path.join(folder, "_stdout.txt"), "wb") as out, open(os.path.join(folder, "_stderr.txt"), "wb") as err:
        done = subprocess.run(job["command"], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False)
    _write(folder, "_exit_code", str(done.returncode))
    return done.returncode


def make_dataset(job, folder):
    """A dataset named after the job: a second run of the same job makes the same dataset again."""
    with open(os.environ["HYSDS_DATASETS_CFG"]) as file:
        kinds = {d["type"]: d for d in json.load(file)["datasets"]}
    kind = kinds[job["dataset_type"]]
    ident = f"{kind['type']}-{job['id']}"
    target = os.path.join(folder, ident)
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(folder, "_stdout.txt"), "rb") as file:
        content = file.read()
    with open(os.path.join(target, "output.txt"), "wb") as file:
        file.write(content)
    dataset = {
        "id": ident, "dataset_type": kind["type"], "version": "v1", "job_id": job["id"], "label": job.get("name") or ident,
        "sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "creation_timestamp": job["created"],
        "urls": [f"file://{target}"], "rules": job.get("rules") or [],
    }
    _write(target, f"{ident}.dataset.json", dataset)
    return dataset


def publish(dataset):
    """Into the catalogue; waits for one that is away or restarts. requests.RequestException when it never takes it."""
    tries, longest = app.conf["BACKOFF_MAX_TRIES"], app.conf["BACKOFF_MAX_VALUE"]
    for attempt in range(tries):
        try:
            reply = requests.post(app.conf["GRQ_UPDATE_URL"], json=dataset, timeout=30)
            if reply.status_code < 500:
                reply.raise_for_status()
                return
            trouble = requests.HTTPError(f"{reply.status_code} {reply.text[:200]}")
        except (requests.ConnectionError, requests.Timeout) as err:
            trouble = err
        if attempt + 1 < tries:
            time.sleep(min(2**attempt, longest))
    raise requests.RequestException(f"the catalogue did not take the dataset in {tries} tries: {trouble}") from trouble


@app.task(name="hysds.job_worker.run_job", bind=True, acks_late=True, reject_on_worker_lost=True)
@state.handed_back
def run_job(self, job):
    deliveries = count_delivery(job)
    if state.get_status(job["id"]) in state.FINAL:
        return "done before"
    facts = {"worker": self.request.hostname, "node": socket.gethostname(), "deliveries": deliveries}
    begun = time.time()
    try:
        if deliveries > MAX_DELIVERIES:
            raise RuntimeError(f"delivered {deliveries} times without an end: it seems to kill its worker")
        folder = work_folder(job)
        # As the real system does for every job: fails without USER, LOGNAME or a passwd entry.
        job = state.set_status(job, "job-started", user=getpass.getuser(), work_dir=folder, **facts)
        _write(folder, "_job.json", job)
        _write(folder, "_context.json", job.get("params") or {})
        facts["exit_code"] = execute(job, folder)
        if facts["exit_code"] == 0:
            dataset = make_dataset(job, folder)
            publish(dataset)
            status, more = "job-completed", {"datasets": [dataset["id"]]}
        else:
            status, more = "job-failed", {"error": error_words(folder) or f"exit code {facts['exit_code']}"}
    except (redis.RedisError, OperationalError):
        raise  # no fault of the job: handed back
    except Exception as err:  # a job must never stay `started` because something unforeseen happened
        status, more = "job-failed", {"error": f"{type(err).__name__}: {err}"}
    document = state.set_status(job, status, seconds=round(time.time() - begun, 3), **facts, **more)
    state.job_info(document)
    state.send("hysds.user_rules.evaluate_job", [document], app.conf["USER_RULES_JOB_QUEUE"])
    return document["status"]


def count_delivery(job):
    key = f"hysds-job-deliveries-{job['id']}"
    deliveries = state.client().incr(key)
    state.client().expire(key, app.conf["HYSDS_JOB_STATUS_EXPIRES"])
    return deliveries


def error_words(folder):
    with open(os.path.join(folder, "_stderr.txt"), "rb") as file:
        return file.read()[-500:].decode(errors="replace").strip()
