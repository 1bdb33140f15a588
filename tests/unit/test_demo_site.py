"""The demo site: its files, rendered as a site's would be, are what their readers expect."""

from __future__ import annotations

import configparser
import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import jinja2
import pytest
import yaml
from conftest import at_most

SITE = Path(__file__).resolve().parents[2] / "examples" / "demo-site"
FILES = SITE / "sds" / "files"
PASSWORD = "a/b@c:d#e%f g"

# What the real services read from celeryconfig; without one of them some process of theirs does not start.
CELERY_KEYS = [
    "broker_url",
    "broker_use_ssl",
    "result_backend",
    "task_acks_late",
    "task_reject_on_worker_lost",
    "worker_prefetch_multiplier",
    "REDIS_JOB_STATUS_URL",
    "REDIS_JOB_INFO_URL",
    "REDIS_UNIX_DOMAIN_SOCKET",
    "JOBS_ES_URL",
    "GRQ_ES_URL",
    "METRICS_ES_URL",
    "JOBS_ES_ENGINE",
    "GRQ_ES_ENGINE",
    "METRICS_ES_ENGINE",
    "MOZART_URL",
    "GRQ_URL",
    "GRQ_UPDATE_URL",
    "GRQ_UPDATE_URL_BULK",
    "JOBS_PROCESSED_QUEUE",
    "USER_RULES_JOB_QUEUE",
    "DATASET_PROCESSED_QUEUE",
    "USER_RULES_DATASET_QUEUE",
    "USER_RULES_TRIGGER_QUEUE",
    "ON_DEMAND_DATASET_QUEUE",
    "ON_DEMAND_JOB_QUEUE",
    "PROCESS_EVENTS_TASKS_QUEUE",
    "SYSTEM_JOBS_QUEUE",
    "USER_RULES_JOB_INDEX",
    "USER_RULES_DATASET_INDEX",
    "STATUS_ALIAS",
    "DATASET_ALIAS",
    "BACKOFF_MAX_VALUE",
    "BACKOFF_MAX_TRIES",
    "HARD_TIME_LIMIT_GAP",
    "HYSDS_JOB_STATUS_EXPIRES",
    "HYSDS_HANDLE_SIGNALS",
    "WORKER_CONTIGUOUS_FAILURE_THRESHOLD",
    "WORKER_CONTIGUOUS_FAILURE_TIME",
    "WORKER_MOUNT_BLACKLIST",
    "ROOT_WORK_DIR",
    "WEBDAV_PORT",
    "PYMONITOREDRUNNER_CFG",
]


def config() -> dict[str, Any]:
    text = (SITE / "sds" / "config").read_text().replace("@generated@", PASSWORD)
    return dict(yaml.safe_load(text))


def rendered(path: Path, **more: Any) -> str:
    env = jinja2.Environment(keep_trailing_newline=True)
    return env.from_string(path.read_text()).render(**{**config(), **more})


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"demo_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def rules() -> ModuleType:
    return module(SITE / "ops" / "indexer" / "indexer" / "rules.py")


def test_celeryconfig_has_what_the_services_read() -> None:
    names: dict[str, Any] = {}
    exec(compile(rendered(FILES / "celeryconfig.py.tmpl"), "celeryconfig.py", "exec"), names)
    assert [key for key in CELERY_KEYS if key not in names] == []
    for url, host in ((names["broker_url"], "10.0.0.11"), (names["REDIS_JOB_INFO_URL"], "10.0.0.12")):
        parts = urlsplit(url)
        assert (parts.hostname, unquote(parts.password or "")) == (host, PASSWORD)


@pytest.mark.parametrize("component", ["mozart", "metrics"])
def test_indexer_configuration_is_json_and_keeps_the_password(component: str) -> None:
    found = json.loads(rendered(FILES / f"indexer.conf.{component}"))
    assert unquote(urlsplit(found["redis_url"]).password or "") == PASSWORD
    assert json.loads(
        rendered(FILES / f"indexer.conf.{component}", MOZART_REDIS_PASSWORD="", METRICS_REDIS_PASSWORD="")
    )


@pytest.mark.parametrize("name", ["job", "task", "worker", "event"])
def test_templates_give_both_aliases(name: str) -> None:
    found = json.loads((FILES / f"{name}_status.template").read_text())
    assert found["index_patterns"] == [f"{name}_status-*"]
    assert set(found["aliases"]) == {f"{name}_status", f"{name}_status-current"}


@pytest.mark.parametrize("file", sorted(FILES.glob("*.json")), ids=lambda f: f.name)
def test_json_files(file: Path) -> None:
    assert json.loads(rendered(file))


@pytest.mark.parametrize("file", sorted(FILES.glob("supervisord.conf.*")), ids=lambda f: f.suffix)
def test_program_files_are_complete(file: Path) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(rendered(file, HOST_STRING="10.0.0.1"))
    programs = [parser[s] for s in parser.sections() if s.startswith("program:")]
    assert programs
    for program in programs:
        assert program["command"].startswith("/home/ops/") and program["stopsignal"] == "TERM"
        if "--app=hysds" in program["command"]:
            assert "%(process_num)02d.%%h" in program["command"]


def test_worker_host_has_a_program_for_every_queue() -> None:
    text = rendered(FILES / "supervisord.conf.verdi")
    assert all(f"[program:{queue['QUEUE_NAME']}]" in text for queue in config()["QUEUES"])


def test_every_job_type_has_its_creator() -> None:
    creators = module(SITE / "ops" / "hysds" / "scripts" / "job_creators" / "utils.py")
    kinds = {d["type"] for d in json.loads(rendered(FILES / "datasets.json"))["datasets"]}
    for entry in json.loads((FILES / "orchestrator_jobs.json").read_text())["configs"]:
        job = getattr(creators, entry["job-creator"])({"type": entry["job-type"], "params": {}}, entry)
        assert job["command"][:2] == ["sh", "-c"] and job["dataset_type"] in kinds


JOB = {
    "type": "job",
    "payload_id": "j1",
    "ordinal": 7,
    "@timestamp": "2026-03-02T00:00:01.5Z",
    "document": {"status": "x"},
}
TYPES = {
    "types": {"job": "job_status-{day}", "dataset": "grq_v1_{dataset_type}", "user_rule": "user_rules-{component}"}
}


def test_a_job_stays_in_the_index_of_its_creation_day(rules: ModuleType) -> None:
    record = {**JOB, "created": "2026-03-01T23:59:59Z"}
    assert rules.target(record, TYPES) == ("job_status-2026.03.01", "j1", 7)


def test_types_that_are_not_named_are_left_out(rules: ModuleType) -> None:
    assert rules.target({**JOB, "type": "job_info"}, TYPES) is None


@pytest.mark.parametrize(
    "change",
    [
        {"payload_id": ""},
        {"payload_id": "é" * 257},
        {"payload_id": 5},
        {"document": "text"},
        {"ordinal": -1},
        {"ordinal": 2**63},
        {"ordinal": "7"},
        {"@timestamp": "no date"},
        {"type": "dataset", "document": {"dataset_type": "a, b*"}},
    ],
    ids=str,
)
def test_a_record_that_would_spoil_a_bulk_request_is_refused(rules: ModuleType, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        rules.target({**JOB, **change}, TYPES)


@pytest.mark.parametrize("raw", ["[1]", '"text"', "no json", "null"])
def test_what_is_no_record_is_refused(rules: ModuleType, raw: str) -> None:
    with pytest.raises(ValueError):
        rules.lines(raw, TYPES)


@pytest.mark.parametrize(
    ("status", "kind", "verdict"),
    [
        (201, "", "done"),
        (409, "version_conflict_engine_exception", "done"),
        (400, "mapper_parsing_exception", "reject"),
        (429, "es_rejected_execution_exception", "wait"),
        (403, "cluster_block_exception", "wait"),
        (503, "unavailable_shards_exception", "wait"),
    ],
)
def test_verdicts_on_the_engines_answers(rules: ModuleType, status: int, kind: str, verdict: str) -> None:
    assert rules.verdict({"status": status, "error": {"type": kind}}) == verdict


def test_a_silent_store_does_not_hide_the_others() -> None:
    health = module(SITE / "ops" / "hysds_commons" / "hysds_commons" / "health.py")

    def broken() -> None:
        raise OSError("refused")

    begun = time.monotonic()
    found = health.away({"fine": lambda: None, "broken": broken, "silent": lambda: time.sleep(5)}, within=0.3)
    assert set(found) == {"broken", "silent"} and "refused" in found["broken"]
    assert time.monotonic() - begun < at_most(2)


def test_every_package_declares_a_python_and_bounds() -> None:
    for setup in sorted((SITE / "ops").glob("*/setup.py")):
        text = setup.read_text()
        assert 'python_requires=">=3.11"' in text, setup
        third = [line for line in text.split('"') if line[:1].isalpha() and ">=" in line]
        assert all(",<" in requirement for requirement in third), (setup, third)


def test_no_module_of_the_demo_leaked_into_this_process() -> None:
    assert not {"hysds", "mozart", "grq2", "indexer"} & set(sys.modules)
