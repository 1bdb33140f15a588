"""States of a job: to Redis at once, to the search engine through the record list. And how tasks meet stores that are away."""

import functools
import time

import redis
from celery import uuid
from celery.exceptions import Reject
from celery.utils.log import get_task_logger
from hysds_commons import records
from kombu.exceptions import OperationalError

from hysds.celery import app

STATES = ("job-queued", "job-offline", "job-started", "job-completed", "job-failed", "job-revoked")
# A later state wins over an earlier one even if the clocks of two nodes differ; 2 ** 63 is far away.
RANK = {"job-queued": 0, "job-offline": 1, "job-started": 1, "job-completed": 2, "job-failed": 2, "job-revoked": 2}
FINAL = ("job-completed", "job-failed", "job-revoked")
PATIENCE = 120  # seconds that a task waits for Redis or the broker; a restart of either is shorter
SHORT = 3  # seconds of a REST call: pooled connections of before a broker's restart fail once each

log = get_task_logger(__name__)
_clients = {}


def client(key="REDIS_JOB_STATUS_URL", patience=PATIENCE):
    """Tasks are patient; a REST service passes 0 and says what is away."""
    wanted = (app.conf[key], patience)
    if wanted not in _clients:
        _clients[wanted] = records.connect(wanted[0], timeout=5 if patience else 2, patience=patience)
    return _clients[wanted]


def new_id():
    return uuid()


def send(task, args, queue, patience=PATIENCE, **options):
    """Queue a task; the broker has confirmed it when this returns. Raises OperationalError after `patience` seconds.

    Nobody waits for results of these tasks, and a sender that subscribes to them can hang for ever after Redis restarts.
    """
    end = time.monotonic() + patience
    pause = 0.2
    while True:
        try:
            return app.signature(task, args=args).apply_async(queue=queue, retry=False, ignore_result=True, **options)
        except (OperationalError, *app.connection_for_write().connection_errors) as err:
            if time.monotonic() > end:
                raise err if isinstance(err, OperationalError) else OperationalError(str(err)) from err
            log.warning("the broker does not take %s: %s; again in %.1f s", task, err, pause)
            time.sleep(pause)
            pause = min(pause * 2, 3.0)


def handed_back(task):
    """For tasks with acks_late: when a store stays away, the message returns to its queue instead of being lost."""

    @functools.wraps(task)
    def run(*args, **kwargs):
        try:
            return task(*args, **kwargs)
        except (redis.RedisError, OperationalError) as err:
            log.error("handed back to the queue: %s", err)
            time.sleep(5)
            raise Reject(str(err), requeue=True) from err

    return run


def set_status(job, status, patience=PATIENCE, **more):
    """Write the state key and the record. `job` is the job document; returns the document as it is now."""
    assert status in STATES, status
    document = {**job, "status": status, "modified": records.now(), **more}
    document["history"] = [*(job.get("history") or []), {"status": status, "at": document["modified"]}]
    redis_ = client(patience=patience)
    redis_.setex(f"hysds-job-status-{job['id']}", app.conf["HYSDS_JOB_STATUS_EXPIRES"], status)
    ordinal = time.time_ns() + RANK[status] * 2 * 10**18
    records.push(redis_, "job", payload_id=job["id"], created=job["created"], ordinal=ordinal, document=document)
    return document


def get_status(ident, patience=PATIENCE):
    value = client(patience=patience).get(f"hysds-job-status-{ident}")
    return value.decode() if value else None


INFO = ("id", "type", "status", "queue", "priority", "user", "node", "worker", "deliveries", "created", "modified", "seconds", "exit_code")


def job_info(document):
    """A metrics record; another list, which the metrics writer reads. Only fields whose types never change."""
    facts = {key: document[key] for key in INFO if document.get(key) is not None}
    records.push(client("REDIS_JOB_INFO_URL"), "job_info", payload_id=document["id"], document=facts)
