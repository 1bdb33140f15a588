"""python -m indexer --config FILE [--check]

Records are moved to a list of this process before they are indexed and dropped from it after: a kill at any point
loses none. A list that a dead process left behind is put back. While the search engine is away, records wait.
"""

import argparse
import json
import logging
import os
import pathlib
import signal
import socket
import sys
import time

import redis
from hysds_commons import records
from hysds_commons.search import Search, SearchError

from indexer.rules import body, target

log = logging.getLogger("indexer")
BATCH = 500
ALIVE = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "indexer.alive"


class Indexer:
    def __init__(self, site):
        self.site = site
        self.redis = records.connect(site["redis_url"], timeout=30)
        self.search = Search(site["es_url"], timeout=30)
        self.source = site["list"]
        self.me = f"{socket.gethostname()}-{os.getpid()}"
        self.taken = f"{self.source}.taken.{self.me}"
        self.stopping = False

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        last = 0.0
        while not self.stopping:
            ALIVE.touch()
            try:
                self.redis.setex(f"{self.source}.alive.{self.me}", 60, "1")
                if time.monotonic() - last > 15:
                    self.recover()
                    last = time.monotonic()
                if self.take():
                    self.deliver()
            except redis.RedisError as err:
                log.warning("redis: %s", err)
                time.sleep(1)

    def stop(self, *_):
        self.stopping = True

    def take(self):
        """Move up to a batch of records to our own list; waits a second for the first."""
        if self.redis.llen(self.taken):
            return True
        if self.redis.blmove(self.source, self.taken, 1, "LEFT", "RIGHT") is None:
            return False
        pipe = self.redis.pipeline(transaction=False)
        for _ in range(min(BATCH - 1, self.redis.llen(self.source))):
            pipe.lmove(self.source, self.taken, "LEFT", "RIGHT")
        pipe.execute()
        return True

    def recover(self):
        for key in self.redis.scan_iter(f"{self.source}.taken.*"):
            owner = key.decode().removeprefix(f"{self.source}.taken.")
            if owner != self.me and not self.redis.exists(f"{self.source}.alive.{owner}"):
                n = 0
                while self.redis.lmove(key, self.source, "RIGHT", "LEFT"):
                    n += 1
                log.info("took back %d records of %s, which has ended", n, owner)

    def deliver(self):
        """Index what was taken; returns when it is done, or keeps it for later when we are to stop."""
        raw = self.redis.lrange(self.taken, 0, -1)
        lines = []
        for item in raw:
            try:
                record = json.loads(item)
                goal = target(record, self.site)
            except (ValueError, KeyError, TypeError) as err:
                log.error("a record that cannot be read is set aside: %s", err)
                self.redis.rpush(f"{self.source}.rejected", item)
                continue
            if goal is not None:
                index, ident, version = goal
                action = {"_index": index, "_id": ident, "version": version, "version_type": "external_gte"}
                lines += [json.dumps({"index": action}), json.dumps(body(record))]
        while lines:
            try:
                _, reply = self.search.call("POST", "_bulk", ndjson="\n".join(lines) + "\n")
                self.judge(reply, lines)
                break
            except SearchError as err:
                log.warning("records wait: %s", err)
                ALIVE.touch()
                self.redis.setex(f"{self.source}.alive.{self.me}", 60, "1")
                if self.stopping:
                    return
                time.sleep(2)
        self.redis.delete(self.taken)
        if raw:
            log.info("%d records", len(raw))

    def judge(self, reply, lines):
        """A version conflict means out of date, which is fine; other refusals are set aside and named."""
        for i, item in enumerate(reply["items"]):
            result = item["index"]
            if result["status"] >= 500 or result["status"] == 429:
                raise SearchError(str(result.get("error"))[:300])
            if result["status"] >= 400 and result["status"] != 409:
                log.error("refused: %s", str(result.get("error"))[:300])
                self.redis.rpush(f"{self.source}.rejected", lines[2 * i + 1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--check", action="store_true", help="exit 0 when the loop turned within the last minute")
    args = parser.parse_args()
    if args.check:
        try:
            age = time.time() - ALIVE.stat().st_mtime
        except OSError:
            sys.exit("not started yet")
        sys.exit(0 if age < 60 else f"the loop has not turned for {age:.0f} s")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with open(args.config) as file:
        Indexer(json.load(file)).run()


if __name__ == "__main__":
    main()
