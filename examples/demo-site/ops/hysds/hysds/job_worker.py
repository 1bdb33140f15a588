"""Runs one job: work folder, subprocess, dataset, states. A job whose worker dies is delivered again and runs again."""

import hashlib
import json
import os
import socket
import subprocess
import time
from datetime import datetime, timezone

import requests

from hysds import state, user_rules
from hysds.celery import app


def work_folder(job):
    root = os.environ.get("HYSDS_ROOT_WORK_DIR") or app.conf["ROOT_WORK_DIR"]
    day = datetime.now(timezone.utc).strftime("%Y/%m/%d/%H/%M")
    path = os.path.join(root, "jobs", day, job["id"])
    os.makedirs(path, exist_ok=True)
    return path


def _write(folder, name, content):
    with open(os.path.join(folder, name), "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))


def make_dataset(job, folder, stdout):
    """A dataset named after the job: a second run of the same job makes the same dataset again."""
    with open(os.environ["HYSDS_DATASETS_CFG"]) as file:
        kinds = {d["type"]: d for d in json.load(file)["datasets"]}
    kind = kinds[job["dataset_type"]]
    ident = f"{kind['type']}-{job['id']}"
    target = os.path.join(folder, ident)
    os.makedirs(target, exist_ok=True)
    _write(target, "output.txt", stdout)
    checksum = hashlib.sha256(stdout.encode()).hexdigest()
    dataset = {
        "id": ident, "dataset_type": kind["type"], "version": "v1", "job_id": job["id"], "label": job.get("name") or ident,
        "sha256": checksum, "size": len(stdout), "creation_timestamp": job["created"], "urls": [f"file://{target}"],
    }
    _write(target, f"{ident}.dataset.json", dataset)
    return dataset


def publish(dataset):
    reply = requests.post(app.conf["GRQ_UPDATE_URL"], json=dataset, timeout=30)
    reply.raise_for_status()


@app.task(name="hysds.job_worker.run_job", bind=True, acks_late=True, reject_on_worker_lost=True)
def run_job(self, job):
    redis = state.client()
    deliveries = redis.incr(f"hysds-job-deliveries-{job['id']}")
    redis.expire(f"hysds-job-deliveries-{job['id']}", app.conf["HYSDS_JOB_STATUS_EXPIRES"])
    if state.get_status(job["id"]) in state.FINAL:
        return "done before"
    folder = work_folder(job)
    begun = time.time()
    job = state.set_status(
        job, "job-started", worker=self.request.hostname, node=socket.gethostname(), deliveries=deliveries, work_dir=folder
    )
    _write(folder, "_job.json", job)
    _write(folder, "_context.json", job.get("params") or {})
    done = subprocess.run(job["command"], cwd=folder, capture_output=True, text=True, check=False)
    _write(folder, "_stdout.txt", done.stdout)
    _write(folder, "_stderr.txt", done.stderr)
    _write(folder, "_exit_code", str(done.returncode))
    facts = {"exit_code": done.returncode, "seconds": round(time.time() - begun, 3)}
    if done.returncode != 0:
        document = state.set_status(job, "job-failed", error=done.stderr[-500:] or f"exit code {done.returncode}", **facts)
    else:
        dataset = make_dataset(job, folder, done.stdout)
        publish(dataset)
        document = state.set_status(job, "job-completed", datasets=[dataset["id"]], **facts)
    state.job_info(document)
    app.signature("hysds.user_rules.evaluate_job", args=[document]).apply_async(queue="user_rules_job")
    assert user_rules  # one application: its tasks are known to every worker
    return document["status"]
