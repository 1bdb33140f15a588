"""States of a job: to Redis at once, to the search engine through the record list."""

import time

from celery import uuid
from hysds_commons import records

from hysds.celery import app

STATES = ("job-queued", "job-offline", "job-started", "job-completed", "job-failed", "job-revoked")
# A later state wins over an earlier one even if the clocks of two nodes differ; 2 ** 63 is far away.
RANK = {"job-queued": 0, "job-offline": 1, "job-started": 1, "job-completed": 2, "job-failed": 2, "job-revoked": 2}
FINAL = ("job-completed", "job-failed", "job-revoked")

_clients = {}


def client(key="REDIS_JOB_STATUS_URL"):
    url = app.conf[key]
    if url not in _clients:
        _clients[url] = records.connect(url)
    return _clients[url]


def new_id():
    return uuid()


def set_status(job, status, **more):
    """Write the state key and the record. `job` is the job document; returns the document as it is now."""
    assert status in STATES, status
    document = {**job, "status": status, "modified": records.now(), **more}
    document.setdefault("history", [])
    document["history"] = [*document["history"], {"status": status, "at": document["modified"]}]
    redis = client()
    redis.setex(f"hysds-job-status-{job['id']}", app.conf["HYSDS_JOB_STATUS_EXPIRES"], status)
    ordinal = time.time_ns() + RANK[status] * 2 * 10**18
    records.push(redis, "job", payload_id=job["id"], created=job["created"], ordinal=ordinal, document=document)
    return document


def get_status(ident):
    value = client().get(f"hysds-job-status-{ident}")
    return value.decode() if value else None


def job_info(document):
    """A metrics record; another list, which the metrics writer reads."""
    records.push(client("REDIS_JOB_INFO_URL"), "job_info", payload_id=document["id"], document=document)
