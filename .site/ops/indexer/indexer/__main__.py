"""python -m indexer --config FILE [--check]

Records are moved to a list of this process before they are indexed and dropped from it after: a kill at any point
loses none. A list that a dead process left behind is put back. While the search engine is away, records wait; a record
that it never could take is set aside in LIST.rejected and holds up no other.
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

from indexer import rules

log = logging.getLogger("indexer")
BATCH = 500
LEASE = 45  # seconds after which the list of a silent process is put back; longer than one call may take
KEEP_REJECTED = 10000
ALIVE = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "indexer.alive"


class Indexer:
    def __init__(self, site):
        self.site = site
        self.redis = records.connect(site["redis_url"], timeout=30)
        self.default = Search(site["es_url"], timeout=30)
        # A type may live in another search engine than the rest.
        self.searches = {kind: Search(url, timeout=30) for kind, url in site.get("es_urls", {}).items() if url != site["es_url"]}
        self.source = site["list"]
        self.me = f"{socket.gethostname()}-{os.getpid()}"
        self.taken = f"{self.source}.taken.{self.me}"
        self.stopping = False

    def run(self):
        signal.signal(signal.SIGTERM, self.stop)
        last = 0.0
        while not self.stopping:
            try:
                self.alive()
                if time.monotonic() - last > 10:
                    self.recover()
                    last = time.monotonic()
                if self.take():
                    self.deliver()
            except redis.RedisError as err:
                log.warning("redis: %s", err)
                ALIVE.touch()
                time.sleep(1)
        self.give_back(self.taken)

    def stop(self, *_):
        self.stopping = True

    def alive(self):
        ALIVE.touch()
        self.redis.setex(f"{self.source}.alive.{self.me}", LEASE, "1")

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
                log.info("took back %d records of %s, which has ended", self.give_back(key), owner)

    def give_back(self, key):
        n = 0
        while self.redis.lmove(key, self.source, "RIGHT", "LEFT"):
            n += 1
        return n

    def deliver(self):
        """Index what was taken; returns when it is done, or keeps it when we are to stop."""
        raw = self.redis.lrange(self.taken, 0, -1)
        for search, batch in self.sort(raw):
            if not self.index(search, batch):
                return
        self.redis.delete(self.taken)
        log.info("%d records", len(raw))

    def sort(self, raw):
        """[(search client, [(action, body), ...])] of raw records."""
        batches = {}
        for item in raw:
            try:
                pair = rules.lines(item, self.site)
            except (ValueError, KeyError, TypeError, AttributeError) as err:
                self.reject(item, err)
                continue
            if pair:
                search = self.searches.get(json.loads(item)["type"], self.default)
                batches.setdefault(search, []).append(pair)
        return list(batches.items())

    def index(self, search, batch):
        """True when every pair is indexed or set aside; False when we are to stop first."""
        while batch:
            try:
                batch = self.bulk(search, batch)
                words = f"{len(batch)} are not taken yet"
            except SearchError as err:
                if err.status in (400, 413) and len(batch) == 1:
                    self.reject(batch[0][1], err)
                    return True
                if err.status in (400, 413):  # one of them spoils the whole request: find it
                    half = len(batch) // 2
                    return self.index(search, batch[:half]) and self.index(search, batch[half:])
                words = str(err)
            self.alive()
            if batch:
                log.warning("records wait: %s", words)
                if self.stopping:
                    return False
                time.sleep(2)
        return True

    def bulk(self, search, batch):
        """The pairs that must be sent again."""
        text = "".join(f"{action}\n{body}\n" for action, body in batch)
        _, reply = search.call("POST", "_bulk", ndjson=text)
        again = []
        for pair, result in zip(batch, reply["items"]):
            verdict = rules.verdict(result["index"])
            if verdict == "wait":
                log.warning("%s", str(result["index"].get("error"))[:300])
                again.append(pair)
            elif verdict == "reject":
                self.reject(pair[1], result["index"].get("error"))
        return again

    def reject(self, item, why):
        log.error("a record is set aside: %s", str(why)[:300])
        self.redis.rpush(f"{self.source}.rejected", item)
        self.redis.ltrim(f"{self.source}.rejected", -KEEP_REJECTED, -1)


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
