"""Records go to a Redis list; only the indexer carries them into the search engine."""

import json
import time
from datetime import datetime, timezone

import redis

LIST = "logstash"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def connect(url, timeout=5):
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, health_check_interval=30)


def push(client, kind, **fields):
    """Append one record. `kind` decides where the indexer puts it; `ordinal` lets it drop what is out of date."""
    record = {"type": kind, "@timestamp": now(), "ordinal": time.time_ns(), **fields}
    client.rpush(LIST, json.dumps(record))
    return record
