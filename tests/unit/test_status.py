"""`status` judged from data: objects as an API server gives them, answers as probes give them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from conftest import as_published

from sdsk8s.console.status_text import age, status_lines
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import component_from_dict
from sdsk8s.model.exposure import node_addresses, service_urls
from sdsk8s.model.names import COMPONENT, REPLICAS, SUPERVISED
from sdsk8s.model.observed import Observed
from sdsk8s.model.readiness import pod_facts
from sdsk8s.model.site import Site
from sdsk8s.model.status import Answer, Probes, SystemStatus, system_status
from sdsk8s.model.supervisord import askable, parse_status
from sdsk8s.verbs.status import status_as_dict

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SITE = Site(home="/site", config={"SEARCH_PVT_IP": "10.0.0.9"})


def manifest(name: str, kind: str = "Deployment") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}}


CATALOGUE = Catalogue(
    {
        c.name: c
        for c in (
            component_from_dict(
                {
                    "name": "alpha",
                    "title": "first",
                    "order": 10,
                    "verbs": ["status"],
                    "needs": ["queue", "search"],
                    "services": [{"store": "queue", "label": "queue-server"}, {"store": "search", "label": "search"}],
                },
                "/cat/alpha/component.yaml",
                (manifest("alpha-api"), manifest("alpha-work")),
            ),
            component_from_dict(
                {
                    "name": "beta",
                    "order": 20,
                    "verbs": ["status"],
                    "stub": "not managed here (beta stays on its own host)",
                },
                "/cat/beta/component.yaml",
                (),
            ),
            component_from_dict(
                {
                    "name": "queue",
                    "store": True,
                    "order": 100,
                    "check": {"container": "queue", "command": ["sds-wait", "--once", "amqp://h:1"]},
                },
                "/cat/queue/component.yaml",
                (manifest("queue", "StatefulSet"),),
            ),
            component_from_dict(
                {
                    "name": "search",
                    "store": True,
                    "order": 110,
                    "addresses": {"SEARCH_PVT_IP": "search"},
                    "check": {"container": "search", "command": ["sds-wait", "--once", "es://h:1"]},
                },
                "/cat/search/component.yaml",
                (manifest("search", "StatefulSet"),),
            ),
        )
    }
)


def workload(name: str, component: str, replicas: int = 1, ready: int | None = None, **more: Any) -> dict[str, Any]:
    ready = replicas if ready is None else ready
    notes = {REPLICAS: str(more["recorded"])} if "recorded" in more else {}
    return {
        "metadata": {"name": name, "labels": {COMPONENT: component}, "annotations": notes, "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": {"containers": [{"name": "main", "image": f"reg:5000/sds/{name}:abc@sha256:12"}]}},
        },
        "status": {
            "replicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": more.get("updated", replicas),
            "observedGeneration": 1,
            "conditions": more.get("conditions", []),
        },
    }


def pod(name: str, component: str, app: str, ready: bool = True, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {COMPONENT: component, "app": app}},
        "spec": {"nodeName": "node1", "containers": [{"name": "main"}]},
        "status": {
            "phase": "Running",
            "startTime": "2026-01-31T11:00:00Z",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"name": "main", "ready": ready, "restartCount": 2, "state": {"running": {}}}],
            **status,
        },
    }


def objects() -> dict[str, dict[str, Any]]:
    """Everything up: alpha with two workloads, both stores."""
    return {
        "Deployment": {n: workload(n, "alpha") for n in ("alpha-api", "alpha-work")},
        "StatefulSet": {n: workload(n, n) for n in ("queue", "search")},
        "Pod": {
            "alpha-api-1": pod("alpha-api-1", "alpha", "alpha-api"),
            "alpha-work-1": pod("alpha-work-1", "alpha", "alpha-work"),
            "queue-0": pod("queue-0", "queue", "queue"),
            "search-0": pod("search-0", "search", "search"),
        },
    }


def probes(**more: Any) -> Probes:
    stores = {"queue": [Answer("queue-0", True)], "search": [Answer("search-0", True)]}
    return Probes(**{"stores": stores, **more})


def judge(
    found: dict[str, dict[str, Any]], given: Probes | None = None, site: Site = SITE, *names: str
) -> SystemStatus:
    chosen = [CATALOGUE.get(n) for n in names or ("alpha", "beta")]
    status = system_status(site, CATALOGUE, chosen, Observed(objects=found), given or probes(), NOW)
    as_published("status", json.loads(json.dumps(status_as_dict(status))))
    return status


def text(status: SystemStatus) -> str:
    return "\n".join(status_lines(status, colour=False))


def test_sections_are_the_legacy_ones_in_their_order() -> None:
    status = judge(objects())
    assert status.ok
    assert text(status) == "\n".join(
        [
            "#" * 40,
            "alpha",
            "#" * 40,
            "-" * 40,
            "third-party services",
            "-" * 40,
            "queue-server: ACTIVE",
            "[search-0] Pinging Search",
            "search: ACTIVE",
            "-" * 40,
            "supervised services",
            "-" * 40,
            "Deployment/alpha-api   1/1 ready  up 1h00m  2 restarts  on node1  image abc",
            "Deployment/alpha-work  1/1 ready  up 1h00m  2 restarts  on node1  image abc",
            "#" * 40,
            "beta",
            "#" * 40,
            "beta: not managed here (beta stays on its own host)",
        ]
    )


def test_colours_never_blink() -> None:
    shown = "\n".join(status_lines(judge({}), colour=True))
    assert "\x1b[36m" in shown and "\x1b[31m" in shown and "\x1b[5" not in shown and ";5m" not in shown


def test_stopped_is_no_failure_and_says_what_was_recorded() -> None:
    found = objects()
    found["Deployment"] = {n: workload(n, "alpha", 0, recorded=3) for n in ("alpha-api", "alpha-work")}
    found["Pod"].pop("alpha-api-1")
    status = judge(found)
    assert status.ok and status.components[0].state == "stopped"
    assert "alpha-api   stopped (3 recorded)  image abc" in text(status)
    assert "alpha-work  stopped (3 recorded), 1 pod ending" in text(status)


def test_nothing_deployed_is_no_failure() -> None:
    status = judge({}, Probes())
    assert status.ok and status.components[0].state == "not deployed"
    assert "alpha is not deployed" in text(status) and "queue-server: INACTIVE (not deployed)" in text(status)


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([Answer("queue-0", False, "connection refused")], "INACTIVE"),
        ([Answer("queue-0", None, "no answer within 5 s")], "UNKNOWN"),
        ([Answer("queue-0", None, "late"), Answer("queue-1", False, "refused")], "INACTIVE"),
        ([], "INACTIVE"),
    ],
)
def test_a_store_that_does_not_answer_fails_but_hides_nothing(answers: list[Answer], state: str) -> None:
    status = judge(objects(), probes(stores={"queue": answers, "search": [Answer("search-0", True)]}))
    assert not status.ok
    assert f"queue-server: {state} (" in text(status)
    assert "search: ACTIVE" in text(status) and "alpha-work  1/1 ready" in text(status)
    for a in answers:
        assert a.words in text(status)


def test_one_answering_member_keeps_a_store_active_and_the_other_is_named() -> None:
    answers = [Answer("queue-0", True), Answer("queue-1", False, "refused")]
    status = judge(objects(), probes(stores={"queue": answers, "search": [Answer("search-0", True)]}))
    assert status.ok and "queue-server: ACTIVE (queue-1: refused)" in text(status)


def test_a_stopped_store_is_the_fault_of_what_needs_it_and_runs() -> None:
    found = objects()
    found["StatefulSet"]["queue"] = workload("queue", "queue", 0, recorded=1)
    assert not judge(found).ok
    found["Deployment"] = {n: workload(n, "alpha", 0) for n in ("alpha-api", "alpha-work")}
    assert judge(found).ok
    assert judge(found, None, SITE, "queue").ok


def test_components_and_stores_elsewhere_are_not_judged() -> None:
    site = Site(home="/site", config=SITE.config, components={"search": {"where": "external"}})
    status = judge(objects(), probes(stores={"queue": [Answer("queue-0", True)]}), site)
    assert status.ok and "search: UNKNOWN (outside the cluster (external, 10.0.0.9), not checked)" in text(status)
    site = Site(home="/site", components={"alpha": {"where": "ssh"}})
    assert judge({}, Probes(), site).components[0].state == "elsewhere"


def test_old_pods_that_still_serve_are_an_unfinished_update() -> None:
    found = objects()
    found["Deployment"]["alpha-api"] = workload("alpha-api", "alpha", 2, updated=1)
    status = judge(found)
    assert not status.ok and status.components[0].state == "updating"
    assert "2/2 ready, 1/2 updated" in text(status)


def test_missing_workload_is_named() -> None:
    found = objects()
    del found["Deployment"]["alpha-work"]
    status = judge(found)
    assert not status.ok and "Deployment/alpha-work  missing" in text(status)


def test_quota_words_are_shown() -> None:
    found = objects()
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: q"}
    found["Deployment"]["alpha-api"] = workload("alpha-api", "alpha", 2, ready=1, conditions=[failure])
    assert "FailedCreate: exceeded quota: q" in text(judge(found))


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (
            {
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                        "lastState": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no such db"}},
                    }
                ]
            },
            "CrashLoopBackOff",
            "container main: exit code 3: no such db",
        ),
        (
            {
                "containerStatuses": [
                    {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
                ]
            },
            "ImagePullBackOff",
            "container main: not found",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [],
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/2 nodes are available",
                    }
                ],
            },
            "Unschedulable",
            "0/2 nodes are available",
        ),
        (
            {
                "initContainerStatuses": [{"name": "wait", "state": {"running": {}}}],
                "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "Init",
            "init container wait runs",
        ),
        (
            {
                "initContainerStatuses": [
                    {"name": "wait", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
                ],
                "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "init step failed",
            "init container wait: exit code 1",
        ),
        (
            {"containerStatuses": [{"name": "main", "state": {"running": {}}, "ready": False}]},
            "running, not ready",
            "container main does not pass its readiness probe yet",
        ),
    ],
)
def test_why_a_pod_is_not_ready(status: dict[str, Any], reason: str, words: str) -> None:
    facts = pod_facts(pod("p", "alpha", "alpha-api", ready=False, **status), NOW)
    assert (facts.ready, facts.reason, facts.words) == (False, reason, words)


def test_programs_of_a_supervisord() -> None:
    shown = (
        "orchestrator:one-00   RUNNING   pid 7, uptime 0:01:28\n"
        "two                   FATAL     Exited too quickly (process log may have details)\n"
    )
    programs = parse_status("alpha-work-1", shown)
    assert [(p.name, p.state) for p in programs] == [("orchestrator:one-00", "RUNNING"), ("two", "FATAL")]
    status = judge(objects(), probes(programs={"alpha-work-1": programs}))
    assert not status.ok
    lines = text(status).splitlines()
    at = next(i for i, line in enumerate(lines) if "alpha-work " in line)
    assert lines[at + 1] == "    [alpha-work-1] orchestrator:one-00 RUNNING  pid 7, uptime 0:01:28"
    assert lines[at + 2].split()[:3] == ["[alpha-work-1]", "two", "FATAL"]


def test_a_supervisord_without_an_answer_hides_nothing() -> None:
    status = judge(objects(), probes(programs={"alpha-api-1": "no answer within 5 s"}))
    assert not status.ok and "UNKNOWN  no answer within 5 s" in text(status) and "alpha-work  1/1" in text(status)


def test_only_running_pods_are_asked_for_programs() -> None:
    asked = pod("p", "alpha", "alpha-work")
    assert not askable(asked)
    asked["metadata"]["labels"][SUPERVISED] = "true"
    assert askable(asked)
    asked["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z"
    assert not askable(asked)


def service(kind: str, **more: Any) -> dict[str, Any]:
    ports = [{"name": "metrics", "port": 9000, "nodePort": 30001}, {"name": "http", "port": 8888, "nodePort": 30002}]
    return {
        "metadata": {"name": "alpha", "labels": {COMPONENT: "alpha"}},
        "spec": {"type": kind, "ports": ports},
        **more,
    }


def test_urls() -> None:
    nodes = ["10.0.0.1", "10.0.0.2"]
    assert service_urls(service("ClusterIP"), nodes) == []
    assert service_urls(service("NodePort"), nodes) == ["http://10.0.0.1:30002", "http://10.0.0.2:30002"]
    given = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert service_urls(service("LoadBalancer", status=given), nodes)[0] == "http://192.0.2.1:8888"
    found = {**objects(), "Service": {"alpha": service("NodePort")}}
    tried = probes(nodes=nodes, urls={"http://10.0.0.1:30002": False, "http://10.0.0.2:30002": True})
    assert "alpha: http://10.0.0.2:30002" in text(judge(found, tried)).splitlines()
    tried = probes(nodes=nodes, urls={"http://10.0.0.1:30002": False, "http://10.0.0.2:30002": False})
    assert "alpha: http://10.0.0.1:30002  (does not answer from here)" in text(judge(found, tried)).splitlines()


def test_ready_nodes_first() -> None:
    def node(name: str, ready: str, address: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name},
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "addresses": [{"type": "InternalIP", "address": address}],
            },
        }

    assert node_addresses([node("a", "False", "10.0.0.1"), node("b", "True", "10.0.0.2")]) == ["10.0.0.2", "10.0.0.1"]


@pytest.mark.parametrize(("seconds", "shown"), [(5, "5s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (90061, "1d1h")])
def test_ages(seconds: int, shown: str) -> None:
    assert age(seconds) == shown
