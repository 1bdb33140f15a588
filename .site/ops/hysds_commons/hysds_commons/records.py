"""Records go to a Redis list; only the indexer carries them into the search engine."""

import json
import logging
import time
from datetime import datetime, timezone

import redis

LIST = "logstash"
log = logging.getLogger(__name__)


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class PatientRedis(redis.Redis):
    """Repeats a command until Redis is back. The library's own retries give up at once when a connection is refused."""

    patience = 0.0

    def execute_command(self, *args, **options):
        end = time.monotonic() + self.patience
        while True:
            try:
                return super().execute_command(*args, **options)
            except (redis.ConnectionError, redis.TimeoutError) as err:
                if time.monotonic() > end:
                    raise
                log.warning("redis is away: %s; again in a second", err)
                time.sleep(1)


def connect(url, timeout=5, patience=0.0):
    """A client whose commands wait up to `patience` seconds for a Redis that is away or still loads its data."""
    client = PatientRedis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, health_check_interval=30)
    client.patience = patience
    return client


def push(client, kind, **fields):
    """Append one record. `kind` decides where the indexer puts it; `ordinal` lets it drop what is out of date."""
    record = {"type": kind, "@timestamp": now(), "ordinal": time.time_ns(), **fields}
    client.rpush(LIST, json.dumps(record))
    return record
