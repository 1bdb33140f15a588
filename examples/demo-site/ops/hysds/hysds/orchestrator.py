"""Turns a submission into a job: looks up the job type, writes the job document, queues it."""

import importlib.util
import json
import os

from hysds_commons import records

from hysds import state
from hysds.celery import app


def _types():
    with open(os.environ.get("HYSDS_ORCHESTRATOR_CFG", "")) as file:
        return {entry["job-type"]: entry for entry in json.load(file)["configs"]}


def _creator(name):
    """A function of the job creators folder, which a site may extend without touching this package."""
    path = os.path.join(os.environ["HYSDS_JOB_CREATORS_DIR"], "utils.py")
    spec = importlib.util.spec_from_file_location("job_creators", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


@app.task(name="hysds.orchestrator.submit_job", acks_late=True)
def submit_job(submission):
    """submission: {id, type, params, queue, priority, tags, name, created}."""
    entry = _types().get(submission["type"])
    job = {**submission, "deliveries": 0}
    if entry is None:
        document = state.set_status(job, "job-failed", error=f"no job type is called {submission['type']}")
        return document["status"]
    job = _creator(entry["job-creator"])(job, entry)
    queue = submission.get("queue") or entry["job-queues"][0]
    job["queue"] = queue
    job = state.set_status(job, "job-queued")
    run_job = app.signature("hysds.job_worker.run_job", args=[job])
    run_job.apply_async(queue=queue, priority=int(submission.get("priority") or 0), task_id=job["id"])
    return job["id"]


def submit(fields):
    """Queue a submission for the orchestrator; returns the job's id. Raises when the broker is away."""
    ident = state.new_id()
    submission = {"id": ident, "created": records.now(), **fields}
    app.signature("hysds.orchestrator.submit_job", args=[submission]).apply_async(queue="jobs_processed", retry=False)
    return ident
