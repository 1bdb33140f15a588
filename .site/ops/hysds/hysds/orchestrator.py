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


def create(submission):
    """The job of a submission; ValueError when its type is not known."""
    entry = _types().get(submission["type"])
    if entry is None:
        raise ValueError(f"no job type is called {submission['type']}")
    job = _creator(entry["job-creator"])({**submission, "deliveries": 0}, entry)
    return {**job, "queue": submission.get("queue") or entry["job-queues"][0]}


@app.task(name="hysds.orchestrator.submit_job", bind=True, acks_late=True)
@state.handed_back
def submit_job(self, submission):
    """submission: {id, type, params, queue, priority, tags, name, created}."""
    known = state.get_status(submission["id"])
    if known not in (None, "job-queued"):
        return f"{known} already"  # an earlier delivery of this message came as far as the queue
    try:
        job = create(submission)
    except Exception as err:  # whatever is wrong with a type or its creator, the submitter must see it
        return state.set_status(submission, "job-failed", error=f"{type(err).__name__}: {err}")["status"]
    job = state.set_status(job, "job-queued")
    state.send(
        "hysds.job_worker.run_job", [job], job["queue"], priority=int(submission.get("priority") or 0), task_id=job["id"]
    )
    return job["id"]


def submit(fields, patience=state.SHORT):
    """Queue a submission for the orchestrator; returns the job's id. OperationalError when the broker is away."""
    ident = state.new_id()
    submission = {"id": ident, "created": records.now(), **fields}
    state.send("hysds.orchestrator.submit_job", [submission], "jobs_processed", patience=patience)
    return ident
