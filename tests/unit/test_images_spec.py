"""Image specs, content tags, references and their place in manifests."""

from __future__ import annotations

from typing import Any

import pytest

from sdsk8s.errors import ConfigError
from sdsk8s.model.image import ImageSpec
from sdsk8s.render.images import content_tag, image_ref, pin

SPEC = ImageSpec.from_dict(
    "web", {"dockerfile": "service", "packages": ["a", "b"], "links": {"/opt/sds/ops/a/x": "/opt/sds/etc/x"}}
)


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as err:
        ImageSpec.from_dict("web", {"dockerfil": "service"})
    assert 'did you mean "dockerfile"?' in err.value.words
    assert err.value.target == "images.web"


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"dockerfile": "../x"},
        {"dockerfile": "s", "packages": "a"},
        {"dockerfile": "s", "packages": ["../a"]},
        {"dockerfile": "s", "packages": ["a", "a"]},
        {"dockerfile": "s", "links": {"/etc/passwd": "/opt/sds/etc/x"}},
        {"dockerfile": "s", "links": {"/opt/sds/../../etc/x": "/opt/sds/etc/x"}},
        {"dockerfile": "s", "links": {"/opt/sds/ops/x": "relative"}},
        {"dockerfile": "s", "args": {"a b": "1"}},
        {"dockerfile": "s", "args": {"A": None}},
        {"external": "no spaces here"},
    ],
)
def test_bad_specs_are_refused(data: Any) -> None:
    with pytest.raises(ConfigError):
        ImageSpec.from_dict("web", data)
    with pytest.raises(ConfigError):
        ImageSpec.from_dict("No/Name", {"dockerfile": "s"})


def test_an_official_image_replaces_the_build() -> None:
    spec = ImageSpec.from_dict("elasticsearch", {"dockerfile": "elasticsearch"})
    assert spec.external is None
    assert spec.replaced_by("docker.elastic.co/elasticsearch/elasticsearch-oss:7.10.2").external == (
        "docker.elastic.co/elasticsearch/elasticsearch-oss:7.10.2"
    )


def test_content_tag_depends_on_content_and_on_nothing_else() -> None:
    files = {"a/x.py": "1", "b/y.py": "2"}
    tag = content_tag(SPEC, "base1", files, {"P": "1", "Q": "2"})
    assert len(tag) == 12 and set(tag) <= set("0123456789abcdef")
    assert tag == content_tag(SPEC, "base1", dict(reversed(files.items())), {"Q": "2", "P": "1"})
    others = [
        content_tag(SPEC, "base2", files, {"P": "1", "Q": "2"}),
        content_tag(SPEC, "base1", {**files, "b/y.py": "3"}, {"P": "1", "Q": "2"}),
        content_tag(SPEC, "base1", {"a/x.py": "1", "b/z.py": "2"}, {"P": "1", "Q": "2"}),
        content_tag(SPEC, "base1", files, {"P": "1"}),
        content_tag(ImageSpec("web", "service", ("a", "b")), "base1", files, {"P": "1", "Q": "2"}),
    ]
    assert len({tag, *others}) == 6


def test_image_ref() -> None:
    assert image_ref("reg:5000", "demo", "web", "abc") == "reg:5000/demo/web:abc"
    assert image_ref("", "demo", "web", "abc") == "demo/web:abc"


def workload(kind: str, image: str) -> dict[str, Any]:
    pod = {"initContainers": [{"name": "i", "image": image}], "containers": [{"name": "c", "image": "busybox:1"}]}
    spec: dict[str, Any] = {"template": {"spec": pod}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    if kind == "Pod":
        spec = pod
    return {"kind": kind, "metadata": {"name": "n"}, "spec": spec}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"])
def test_pin_reaches_every_kind_of_pod(kind: str) -> None:
    before = workload(kind, "sds/web")
    (after,) = pin([before], {"web": "reg:5000/demo/web@sha256:1"})
    assert after == workload(kind, "reg:5000/demo/web@sha256:1")
    assert before == workload(kind, "sds/web")


def test_pin_names_what_it_cannot_resolve() -> None:
    with pytest.raises(ConfigError) as err:
        pin([workload("Job", "sds/wep")], {"web": "x"})
    assert err.value.target == "Job/n, container i"
    assert 'did you mean "web"?' in err.value.words


@pytest.mark.parametrize("budget", [0, -5, "500", True, 1.5])
def test_a_budget_is_a_number_of_mb(budget: object) -> None:
    with pytest.raises(ConfigError, match="is not a number of MB"):
        ImageSpec.from_dict("a", {"dockerfile": "service", "budget": budget})
    assert ImageSpec.from_dict("a", {"dockerfile": "service", "budget": 500}).budget == 500
