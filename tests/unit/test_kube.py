"""Accessors of Kubernetes objects: where each field stands, and that odd shapes read as empty."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sdsk8s.model import kube
from sdsk8s.model.names import COMPONENT

POD_SPEC = {"initContainers": [{"name": "i", "image": "x:1"}], "containers": [{"name": "m", "image": "y:2"}]}


@pytest.mark.parametrize(
    "obj",
    [
        {"kind": "Pod", "spec": POD_SPEC},
        {"kind": "Deployment", "spec": {"template": {"spec": POD_SPEC}}},
        {"kind": "Job", "spec": {"template": {"spec": POD_SPEC}}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": POD_SPEC}}}}},
        {"spec": POD_SPEC},
    ],
    ids=["Pod", "Deployment", "Job", "CronJob", "a pod template"],
)
def test_containers_of_everything_that_has_a_pod_spec(obj: dict[str, Any]) -> None:
    assert [c["name"] for c in kube.containers(obj)] == ["i", "m"]
    assert [c["name"] for c in kube.main_containers(obj)] == ["m"]
    assert kube.images(obj) == ["x:1", "y:2"]


@pytest.mark.parametrize("odd", [3, "x", ["a"], None], ids=str)
def test_a_field_of_another_type_reads_as_empty(odd: Any) -> None:
    obj = {"kind": "Deployment", "metadata": odd, "spec": odd, "status": odd}
    assert (kube.name(obj), kube.component(obj), kube.labels(obj), kube.annotations(obj)) == ("", "", {}, {})
    assert (kube.replicas(obj), kube.containers(obj), kube.conditions(obj), kube.finished(obj)) == (1, [], [], False)
    inner = {"metadata": {"labels": odd}, "spec": {"replicas": odd, "template": {"spec": {"containers": odd}}}}
    assert (kube.label(inner, COMPONENT), kube.containers(inner)) == ("", [])
    assert kube.replicas(inner) == (odd if odd == 3 else 1)


def test_what_is_returned_is_the_objects_own() -> None:
    """Rendering changes pod templates through these accessors."""
    obj: dict[str, Any] = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "m"}]}}}}
    kube.main_containers(obj)[0]["image"] = "z"
    kube.pod_template(obj)["metadata"] = {"labels": {"a": "b"}}
    assert obj["spec"]["template"] == {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "m", "image": "z"}]},
    }  # fmt: skip


def test_selectors() -> None:
    obj = {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}
    assert kube.selector_text(obj) == "a=1,b=2"
    assert kube.parse_selector("a=1,b=2") == kube.selector(obj)
    pod = {"metadata": {"labels": {"a": "1", "b": "2", "c": "3"}}}
    assert kube.matches(pod, kube.selector(obj))
    assert not kube.matches(pod, {"a": "2"})
    assert not kube.matches(pod, {}), "an empty selector is nobody's, not everybody's"


@pytest.mark.parametrize(
    "phase, finished", [("Succeeded", True), ("Failed", True), ("Running", False), ("Pending", False), (None, False)]
)
def test_a_finished_pod_is_no_replica(phase: str | None, finished: bool) -> None:
    assert kube.finished({"status": {"phase": phase}}) is finished


def test_a_command_can_run_in_a_pod_with_a_running_container_that_nobody_ends() -> None:
    status = {"containerStatuses": [{"name": "m", "state": {"running": {}}}]}
    assert kube.running({"metadata": {}, "status": status})
    assert not kube.running({"metadata": {"deletionTimestamp": "now"}, "status": status})
    assert not kube.running({"metadata": {}, "status": {"containerStatuses": [{"state": {"waiting": {}}}]}})


def test_the_container_that_is_meant_when_none_is_named() -> None:
    pod = {"metadata": {}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}}
    assert kube.default_container(pod) == "a"
    noted = {**pod, "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "b"}}}
    assert kube.default_container(noted) == "b"
    assert kube.default_container({}) == ""


ROOT = Path(__file__).parents[2]
HOME = ("sdsk8s/model/kube.py", "sdsk8s/model/names.py")
SPELLINGS = re.compile(
    r"""\["metadata"\]\["name"\](?!\s*\+?=[^=])|\("deletionTimestamp"\)|"(initC|c)ontainerStatuses"|"sdsk8s/component\""""
    r"""|\("Succeeded", "Failed"\)"""
)


def test_objects_are_read_through_the_accessors_alone() -> None:
    """A second spelling of a label or a path of fields is how two judgements of one pod come apart."""
    files = [(p, str(p.relative_to(ROOT))) for room in ("sdsk8s", "legacy_shim") for p in (ROOT / room).rglob("*.py")]
    found = [
        f"{name}:{number}"
        for path, name in sorted(files)
        if not name.startswith(HOME)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SPELLINGS.search(line)
    ]
    assert found == [] and len(files) > 200
