"""A thin client of the search engine: only what this system asks of it."""

import json

import requests


class SearchError(Exception):
    pass


class Search:
    """url: http://host:9200. Connection trouble and bad answers are SearchError with the engine's words."""

    def __init__(self, url, timeout=10):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()

    def call(self, method, path, body=None, ok=(200, 201), ndjson=None, timeout=None):
        data, kind = (ndjson, "application/x-ndjson") if ndjson is not None else (json.dumps(body) if body is not None else None, "application/json")
        try:
            reply = self.session.request(
                method, f"{self.url}/{path.lstrip('/')}", data=data, headers={"Content-Type": kind}, timeout=timeout or self.timeout
            )
        except requests.RequestException as err:
            raise SearchError(f"{self.url} does not answer: {err}") from err
        if reply.status_code not in ok:
            raise SearchError(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        return reply.status_code, (reply.json() if reply.content and "json" in reply.headers.get("Content-Type", "") else reply.text)

    def healthy(self, timeout=3):
        _, body = self.call("GET", "_cluster/health?timeout=1s", timeout=timeout)
        if body["status"] == "red":
            raise SearchError("cluster health is red")

    def get(self, index, ident):
        """The newest document with that _id behind an index pattern or alias, or None."""
        query = {"query": {"ids": {"values": [ident]}}, "size": 1}
        hits = self.search(index, query)
        return hits[0] if hits else None

    def search(self, index, query):
        status, body = self.call("POST", f"{index}/_search?ignore_unavailable=true&allow_no_indices=true", query, ok=(200, 404))
        return [] if status == 404 else [{**h["_source"], "_index": h["_index"], "_id": h["_id"]} for h in body["hits"]["hits"]]
