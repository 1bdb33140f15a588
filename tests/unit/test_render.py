"""Rendering: configuration to ConfigMaps and Secrets, hashes, queues, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sdsk8s.errors import ConfigError
from sdsk8s.model.catalogue import Catalogue
from sdsk8s.model.component import component_from_dict
from sdsk8s.model.names import CONFIG_HASH
from sdsk8s.model.site import Site, site_from_dict
from sdsk8s.render.context import context
from sdsk8s.render.hashes import content_hash
from sdsk8s.render.objects import render

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "w", "labels": {"app.kubernetes.io/name": "w"}},
    "spec": {
        "selector": {"matchLabels": {"app.kubernetes.io/name": "w"}},
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "w"}},
            "spec": {
                "containers": [{"name": "main", "image": "sds/app"}],
                "volumes": [{"name": "etc", "projected": {"sources": [{"configMap": {"name": "conf"}}]}}],
            },
        },
    },
}


def made(config: dict[str, Any], *, text: str = "x", secret: bool = False, **more: Any) -> list[dict[str, Any]]:
    data = {
        "name": "a",
        "images": {"app": {"dockerfile": "service"}},
        "config": [{"file": "f.cfg", "into": "conf", "template": "f.tmpl", "secret": secret}],
        **more,
    }
    component = component_from_dict(data, "/cat/a/component.yaml", (DEPLOYMENT,))
    site = Site(home="/s", config=config)
    cat = Catalogue({"a": component})
    return render(site, cat, component, {("a", "conf", "f.cfg"): text}, {"app": "reg/sds/app:1"})


def find(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(o for o in objects if o["kind"] == kind)


def test_template_sees_the_whole_configuration_and_secret_files_become_secrets() -> None:
    objects = made({"USER": "ops", "X_PASSWORD": "hunter22"}, text="{{USER}}:{{X_PASSWORD}}", secret=True)
    assert base64.b64decode(find(objects, "Secret")["data"]["f.cfg"]) == b"ops:hunter22"


def test_a_secret_value_in_a_config_map_is_refused_by_key_name_not_by_value() -> None:
    with pytest.raises(ConfigError) as err:
        made({"X_PASSWORD": "hunter22"}, text="p={{X_PASSWORD}}")
    assert "X_PASSWORD" in str(err.value) and "hunter22" not in str(err.value)


def test_a_value_that_looks_secret_is_refused_whatever_its_key_is_called() -> None:
    with pytest.raises(ConfigError) as err:
        made({"BROKER": "amqp://guest:hunter22@host"}, text="one\nbroker={{BROKER}}")
    assert "line 2" in str(err.value) and "URL with a password" in str(err.value) and "hunter22" not in str(err.value)
    assert made({"BROKER": "amqp://guest:hunter22@host"}, text="{{BROKER}}", secret=True)


def test_bad_template_names_file_and_line() -> None:
    with pytest.raises(ConfigError) as err:
        made({}, text="fine\n{% if %}")
    assert err.value.target == "f.tmpl:2"


def test_only_dependents_change_with_the_configuration() -> None:
    def hashes(value: str) -> tuple[str, str]:
        objects = made({"V": value}, text="{{V}}")
        template = find(objects, "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"][CONFIG_HASH], content_hash(find(objects, "Deployment"))

    assert hashes("1") == hashes("1")
    assert hashes("1") != hashes("2")


def test_replicas_do_not_count_in_the_hash() -> None:
    one = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"replicas": 1}}
    assert content_hash(one) == content_hash({**one, "spec": {"replicas": 7}})


def test_too_large_for_an_object() -> None:
    with pytest.raises(ConfigError, match="larger than 1 MB"):
        made({}, text="x" * 1_100_000)


def test_one_workload_per_queue_with_its_own_selector() -> None:
    config = {"QUEUES": [{"QUEUE_NAME": "job_worker-small"}, {"QUEUE_NAME": "big.Queue"}]}
    found = [o for o in made(config, per_queue="w") if o["kind"] == "Deployment"]
    assert [o["metadata"]["name"] for o in found] == ["w-big-queue", "w-job-worker-small"]
    small = found[1]
    assert small["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "w-job-worker-small"}
    assert small["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "w-job-worker-small"
    env = small["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "SDS_QUEUE", "value": "job_worker-small"} in env


def test_a_queue_has_its_own_grace_period_and_number_of_processes() -> None:
    config = {"QUEUES": [{"QUEUE_NAME": "a", "GRACE_SECONDS": 3600, "PROCESSES": 4}, {"QUEUE_NAME": "b"}]}
    one, other = (o["spec"]["template"]["spec"] for o in made(config, per_queue="w") if o["kind"] == "Deployment")
    assert one["terminationGracePeriodSeconds"] == 3600 and "terminationGracePeriodSeconds" not in other
    env = [{e["name"]: e["value"] for e in spec["containers"][0]["env"]} for spec in (one, other)]
    assert env[0] == {"SDS_QUEUE": "a", "SDS_PROCESSES": "4", "SDS_STOP_SECONDS": "3585"}
    assert env[1] == {"SDS_QUEUE": "b", "SDS_PROCESSES": "1", "SDS_STOP_SECONDS": "15"}, "Kubernetes' own 30 s"


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ({"QUEUE_NAME": "b", "GRACE_SECONDS": 5}, "b.*GRACE_SECONDS is 5"),
        ({"QUEUE_NAME": "b", "GRACE_SECONDS": True}, "b.*GRACE_SECONDS is True"),
        ({"QUEUE_NAME": "b", "PROCESSES": "many"}, "b.*PROCESSES is 'many'"),
        ({"QUEUE_NAME": "b", "PROCESES": 2}, 'b.*unknown key "PROCESES"'),
        ({"QUEUE_NAME": "a_"}, '"a" and "a_" would both get the workload w-a'),
        ({"QUEUE_NAME": "a"}, "duplicate queue"),
    ],
)
def test_what_a_queue_cannot_have_is_refused_by_queue_and_key(second: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made({"QUEUES": [{"QUEUE_NAME": "a"}, second]}, per_queue="w")


def test_addresses_come_from_the_readers_place() -> None:
    store = component_from_dict({"name": "q", "store": True, "addresses": {"Q_PVT_IP": "q-service"}}, "/c/q/c.yaml", ())
    reader = component_from_dict({"name": "a"}, "/c/a/c.yaml", ())
    cat = Catalogue({"q": store, "a": reader})
    config = {"Q_PVT_IP": "10.1.2.3", "LDAP_GROUPS": None, "MOZART_REDIS_PASSWORD": None}
    inside = context(Site(home="/s", config=config), cat, reader)
    assert inside["Q_PVT_IP"] == "q-service"
    assert inside["LDAP_GROUPS"] == [] and inside["MOZART_REDIS_PASSWORD"] == ""
    outside = context(Site(home="/s", config=config, components={"q": {"where": "external"}}), cat, reader)
    assert outside["Q_PVT_IP"] == "10.1.2.3"


def test_site_yaml_typos_are_named_with_the_nearest_key() -> None:
    with pytest.raises(ConfigError) as err:
        site_from_dict({"namespce": "x"}, {}, "/s", "/s/site.yaml")
    assert 'did you mean "namespace"?' in str(err.value)
    with pytest.raises(ConfigError, match="where"):
        site_from_dict({"components": {"a": {"where": "kubernets"}}}, {}, "/s", "/s/site.yaml")
