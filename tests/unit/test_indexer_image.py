"""The product's own indexer: rules, order, and what it does with records and answers that are not right."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "dockerfiles/indexer/sds-indexer"
RULES: list[dict[str, Any]] = [
    {
        "when": {"resource": "job", "status": ["job-failed"]},
        "index": "job_failed",
        "id": "{payload_id}",
        "delete": "{job.job_info.index}",
    },
    {"when": {"resource": "job"}, "index": "{job.job_info.index}", "id": "{payload_id}", "set": {"id": "{uuid}"}},
    {"when": {"resource": "worker"}, "index": "worker-{day}", "id": "{host}", "seconds": {"timestamp": "event.at"}},
    {"when": {"resource": "metric"}, "index": "m-{day}"},
]
JOB = {
    "resource": "job", "status": "job-started", "payload_id": "p", "uuid": "u", "job": {"job_info": {"index": "i-1"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def indexer() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("sds_indexer", str(FILE))
    spec = importlib.util.spec_from_loader("sds_indexer", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def lines(indexer: ModuleType, record: Any) -> list[tuple[Any, Any]]:
    pairs = indexer.operations(record, RULES, "2026.01.02")
    return [(json.loads(action), json.loads(body) if body else None) for action, body in pairs]


def test_the_first_rule_that_fits_decides(indexer: ModuleType) -> None:
    ((action, body),) = lines(indexer, JOB)
    assert action == {"index": {"_index": "i-1", "_id": "p"}} and body["id"] == "u"
    assert lines(indexer, {**JOB, "resource": "job_info"}) == []


def test_a_failed_job_moves_to_the_index_of_failures(indexer: ModuleType) -> None:
    (first, _), (second, body) = lines(indexer, {**JOB, "status": "job-failed"})
    assert first == {"index": {"_index": "job_failed", "_id": "p"}}
    assert second == {"delete": {"_index": "i-1", "_id": "p"}} and body is None


def test_a_time_becomes_whole_seconds_and_a_day_fills_the_name(indexer: ModuleType) -> None:
    ((action, body),) = lines(indexer, {"resource": "worker", "host": "h", "event": {"at": 17.93, "x": 1}})
    assert action["index"]["_index"] == "worker-2026.01.02"
    assert body["timestamp"] == "17" and body["event"] == {"x": 1}


def test_a_rule_without_id_leaves_it_to_the_search_engine(indexer: ModuleType) -> None:
    ((action, _),) = lines(indexer, {"resource": "metric"})
    assert action == {"index": {"_index": "m-2026.01.02"}}


@pytest.mark.parametrize("record", [{**JOB, "payload_id": None}, {**JOB, "job": "text"}, {**JOB, "payload_id": []}, 7])
def test_a_record_without_its_fields_is_bad_and_not_an_accident(indexer: ModuleType, record: Any) -> None:
    with pytest.raises(indexer.BadRecord):
        indexer.operations(record, RULES, "2026.01.02")


def test_numbers_that_no_index_holds_become_minus_one(indexer: ModuleType) -> None:
    ((_, body),) = lines(indexer, {**JOB, "limit": [2**64, 3], "flag": True, "raw": b"\xff"})
    assert body["limit"] == [-1, 3] and body["flag"] is True and body["raw"] == "\ufffd"


@pytest.mark.parametrize(
    ("kind", "item", "wanted"),
    [
        ("index", {"status": 201}, "done"),
        ("delete", {"status": 404}, "done"),
        ("index", {"status": 429}, "wait"),
        ("index", {"status": 403, "error": {"type": "cluster_block_exception"}}, "wait"),
        ("index", {"status": 400, "error": {"type": "mapper_parsing_exception"}}, "reject"),
        ("index", {"status": 404, "error": {"type": "index_not_found_exception"}}, "reject"),
    ],
)
def test_answers_of_the_search_engine(indexer: ModuleType, kind: str, item: dict[str, Any], wanted: str) -> None:
    assert indexer.verdict(kind, item) == wanted


class Lists:
    """The few commands on lists that the indexer uses."""

    def __init__(self, **lists: list[bytes]) -> None:
        self.lists = lists

    def lrange(self, key: str, _first: int, _last: int) -> list[bytes]:
        return list(self.lists.get(key, []))

    def rpush(self, key: str, item: Any) -> None:
        self.lists.setdefault(key, []).append(item)

    def ltrim(self, *_: Any) -> None: ...
    def setex(self, *_: Any) -> None: ...
    def delete(self, key: str) -> None:
        self.lists.pop(key, None)


class Engine:
    """Takes everything but documents with {"bad": true}, which spoil a whole request."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def bulk(self, pairs: list[tuple[str, str]]) -> list[tuple[str, dict[str, Any]]]:
        if any('"bad": true' in body for _, body in pairs):
            raise ValueError("HTTP 400")
        self.taken += [json.loads(action)["index"]["_id"] for action, _ in pairs]
        return [("index", {"status": 201}) for _ in pairs]


def test_a_record_that_spoils_a_request_is_set_aside_alone(
    indexer: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexer, "ALIVE", tmp_path / "alive")
    records = [{**JOB, "payload_id": f"p{n}", "bad": n == 2} for n in range(5)]
    raw = [json.dumps(r).encode() for r in records] + [b"no json"]
    engine = Engine()
    mine = indexer.Indexer({"rules": RULES, "codec": "json", "list": "q"}, Lists(), engine)
    mine.redis.lists[mine.taken] = raw
    mine.deliver()
    assert engine.taken == ["p0", "p1", "p3", "p4"]
    assert mine.taken not in mine.redis.lists
    rejected = mine.redis.lists["q.rejected"]
    assert rejected[0] == b"no json" and json.loads(rejected[1])["payload_id"] == "p2"
