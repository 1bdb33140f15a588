"""Celery events to records. Connects again when the broker is lost; ends with an error when Redis stays away."""

import logging
import signal
import socket
import sys
import time

from hysds import state
from hysds.celery import app
from hysds_commons import records

log = logging.getLogger("process_events")
HEARTBEAT = 30


def handle(event):
    """One event to one record: by worker, by task, or an event of its own."""
    redis = state.client("REDIS_UNIX_DOMAIN_SOCKET", patience=60)
    kind, host = event["type"], event.get("hostname", "")
    if kind.startswith("worker-"):
        if not host.startswith("celery@orchestrator"):
            redis.setex(f"hysds-worker-status-{host}", app.conf.get("WORKER_STATUS_EXPIRES", 180), kind)
        records.push(redis, "worker", payload_id=host, document={"celery_hostname": host, "status": kind})
    elif kind.startswith("task-"):
        document = {"uuid": event["uuid"], "status": kind, "celery_hostname": host}
        records.push(redis, "task", payload_id=event["uuid"], document=document)
    if kind not in ("worker-heartbeat", "task-sent", "task-received", "task-started", "task-succeeded"):
        ident = f"{kind}-{event.get('uuid') or host}-{event.get('timestamp', time.time())}"
        records.push(redis, "event", payload_id=ident, document={"type": kind, "uuid": event.get("uuid"), "celery_hostname": host})


def listen():
    """Until the connection is lost. A stream without pauses must not keep us from sending heartbeats."""
    with app.connection_for_read(heartbeat=HEARTBEAT) as connection:
        connection.ensure_connection(max_retries=5, interval_max=5)
        log.info("listening for events on %s", connection.as_uri())
        receiver = app.events.Receiver(connection, handlers={"*": handle})
        with receiver.consumer_context(wakeup=True) as (channel_connection, _, _):
            last = time.monotonic()
            while True:
                try:
                    channel_connection.drain_events(timeout=HEARTBEAT / 6)
                except socket.timeout:
                    pass
                if time.monotonic() - last >= HEARTBEAT / 6:
                    channel_connection.heartbeat_check()
                    last = time.monotonic()


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    state.client("REDIS_UNIX_DOMAIN_SOCKET", patience=60).ping()
    lost = app.connection_for_read().connection_errors
    while True:
        try:
            listen()
        except lost as err:
            log.warning("the broker is away: %s: %s; again in 2 s", type(err).__name__, err)
            time.sleep(2)


if __name__ == "__main__":
    main()
