"""Records go to a Redis list; only the indexer carries them into the search engine."""

import json
import time
from datetime import datetime, timezone

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

LIST = "logstash"


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def connect(url, timeout=5, patience=0):
    """A client that waits about `patience` seconds for a Redis that is away or still loads its data; 0: fail at once."""
    lost = [redis.ConnectionError, redis.TimeoutError]
    retry = {"retry": Retry(ExponentialBackoff(cap=5, base=0.5), 3 + patience // 5), "retry_on_error": lost} if patience else {}
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, health_check_interval=30, **retry)


def push(client, kind, **fields):
    """Append one record. `kind` decides where the indexer puts it; `ordinal` lets it drop what is out of date."""
    record = {"type": kind, "@timestamp": now(), "ordinal": time.time_ns(), **fields}
    client.rpush(LIST, json.dumps(record))
    return record
