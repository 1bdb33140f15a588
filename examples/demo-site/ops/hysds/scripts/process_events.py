"""Celery events to records. Ends with an error when the broker or Redis is lost: the supervisor starts it again."""

import logging
import signal
import sys

from hysds import state
from hysds.celery import app
from hysds_commons import records

log = logging.getLogger("process_events")


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    redis = state.client()
    redis.ping()

    def worker(event):
        if not event["hostname"].startswith("celery@orchestrator"):
            redis.setex(f"hysds-worker-status-{event['hostname']}", 60, event["type"])
        records.push(redis, "worker", payload_id=event["hostname"], document={"celery_hostname": event["hostname"], "status": event["type"]})

    def task(event):
        records.push(redis, "task", payload_id=event["uuid"], document={"uuid": event["uuid"], "status": event["type"], "celery_hostname": event.get("hostname")})

    handlers = {name: worker for name in ("worker-online", "worker-offline", "worker-heartbeat")}
    handlers |= {name: task for name in ("task-received", "task-started", "task-succeeded", "task-failed", "task-retried", "task-revoked")}
    with app.connection(heartbeat=30) as connection:
        log.info("listening for events on %s", connection.as_uri())
        app.events.Receiver(connection, handlers=handlers).capture(limit=None, timeout=None, wakeup=True)


if __name__ == "__main__":
    main()
