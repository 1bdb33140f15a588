"""A thin client of the search engine: only what this system asks of it."""

import json
import netrc
import os
import stat

import requests


class SearchError(Exception):
    """`status` is the engine's answer, or None when there was none."""

    def __init__(self, words, status=None):
        super().__init__(words)
        self.status = status


def credentials():
    """(user, password) of the `default` entry in ~/.netrc-os, or None. The file must be the owner's alone."""
    path = os.path.join(os.environ.get("HOME", "/"), ".netrc-os")
    if not os.path.exists(path):
        return None
    if stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        os.chmod(path, 0o600)
    entry = netrc.netrc(path).hosts.get("default")
    return (entry[0], entry[2]) if entry else None


class Search:
    """url: http://host:9200. Connection trouble and bad answers are SearchError with the engine's words."""

    def __init__(self, url, timeout=10):
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.session = requests.Session()
        self.session.auth = credentials()

    def call(self, method, path, body=None, ok=(200, 201), ndjson=None, timeout=None):
        data, kind = (json.dumps(body) if body is not None else None), "application/json"
        if ndjson is not None:
            data, kind = ndjson.encode(), "application/x-ndjson"
        # Connecting is quick or in vain: the address of a pod that has ended never answers.
        limits = (3, timeout or self.timeout)
        try:
            reply = self.session.request(
                method, f"{self.url}/{path.lstrip('/')}", data=data, headers={"Content-Type": kind}, timeout=limits
            )
        except requests.RequestException as err:
            raise SearchError(f"{self.url} does not answer: {err}") from err
        if reply.status_code not in ok:
            raise SearchError(f"{method} {path}: {reply.status_code} {reply.text[:500]}", reply.status_code)
        return reply.status_code, (reply.json() if reply.content and "json" in reply.headers.get("Content-Type", "") else reply.text)

    def healthy(self, timeout=3):
        _, body = self.call("GET", "_cluster/health?timeout=1s", timeout=timeout)
        if body["status"] == "red":
            raise SearchError("cluster health is red")

    def get(self, index, ident):
        """The document with that _id behind an index pattern or alias, or None."""
        hits = self.search(index, {"query": {"ids": {"values": [ident]}}, "size": 1})
        return hits[0] if hits else None

    def search(self, index, query):
        status, body = self.call("POST", f"{index}/_search?ignore_unavailable=true&allow_no_indices=true", query, ok=(200, 404))
        return [] if status == 404 else [{**h["_source"], "_index": h["_index"], "_id": h["_id"]} for h in body["hits"]["hits"]]
