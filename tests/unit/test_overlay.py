"""A site's changes over shipped components: only what differs is written down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sdsk8s.errors import ConfigError
from sdsk8s.model.component import Component, ConfigFile
from sdsk8s.model.overlay import merge_component, merge_manifests
from sdsk8s.model.site import Site
from sdsk8s.render.config import config_objects
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import load_site
from sdsk8s.site.templates import load_texts, places


def deployment() -> dict[str, Any]:
    container = {
        "name": "api",
        "image": "sds/a",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80, "name": "http"}],
        "volumeMounts": [{"name": "etc", "mountPath": "/etc/x"}, {"name": "tmp", "mountPath": "/tmp"}],
        "readinessProbe": {"httpGet": {"path": "/health"}, "periodSeconds": 5},
        "command": ["a", "b"],
    }
    spec = {"containers": [container], "volumes": [{"name": "etc", "secret": {"secretName": "s"}}]}
    return {"kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": {"spec": spec}}}


def changed(**container: Any) -> dict[str, Any]:
    """What container `api` is after a change to it."""
    change = {**deployment(), "spec": {"template": {"spec": {"containers": [{"name": "api", **container}]}}}}
    (out,) = merge_manifests([deployment()], [change])
    result: dict[str, Any] = out["spec"]["template"]["spec"]["containers"][0]
    return result


def test_lists_are_merged_by_the_key_that_kubernetes_uses() -> None:
    out = changed(
        env=[{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        volumeMounts=[{"mountPath": "/tmp", "$patch": "delete"}, {"mountPath": "/data", "name": "work"}],
        ports=[{"containerPort": 80, "name": "web"}],
    )
    assert out["env"] == [{"name": n, "value": v} for n, v in (("A", "1"), ("B", "3"), ("C", "4"))]
    assert [m["mountPath"] for m in out["volumeMounts"]] == ["/etc/x", "/data"]
    assert out["ports"] == [{"containerPort": 80, "name": "web"}]
    assert out["image"] == "sds/a" and out["command"] == ["a", "b"]


def test_other_lists_are_replaced_and_null_takes_away() -> None:
    out = changed(command=["c"], readinessProbe=None)
    assert out["command"] == ["c"] and "readinessProbe" not in out


def test_patch_replace_exchanges_a_mapping_as_a_whole() -> None:
    out = changed(readinessProbe={"$patch": "replace", "exec": {"command": ["x"]}})
    assert out["readinessProbe"] == {"exec": {"command": ["x"]}}


def test_objects_are_added_and_taken_away() -> None:
    service = {"kind": "Service", "metadata": {"name": "a"}, "spec": {"x": None}}
    gone = {"kind": "Deployment", "metadata": {"name": "a"}, "$patch": "delete"}
    (out,) = merge_manifests([deployment()], [service, gone])
    assert out == {"kind": "Service", "metadata": {"name": "a"}, "spec": {}}
    with pytest.raises(ValueError, match="Deployment/b cannot be removed"):
        merge_manifests([deployment()], [{"kind": "Deployment", "metadata": {"name": "b"}, "$patch": "delete"}])


def test_the_shipped_objects_are_not_touched() -> None:
    before = deployment()
    merge_manifests([before], [{**deployment(), "spec": {"replicas": 4}}])
    assert before == deployment()


def test_component_files_and_images_are_merged_entry_by_entry() -> None:
    shipped = {
        "name": "a",
        "needs": ["x", "y"],
        "images": {"a": {"dockerfile": "service", "packages": ["one"], "args": {"A": "1"}}},
        "config": [{"into": "c", "file": "f", "template": "t", "secret": True}, {"into": "c", "file": "g"}],
    }
    changes = {
        "name": "a",
        "extends": True,
        "needs": ["x"],
        "images": {"a": {"packages": ["two"], "args": {"B": "2"}}, "b": {"dockerfile": "indexer"}},
        "config": [{"into": "c", "file": "f", "template": "u"}, {"into": "c", "file": "g", "$patch": "delete"}],
    }
    out = merge_component(shipped, changes)
    assert out["needs"] == ["x"] and "extends" not in out
    assert out["images"]["a"] == {"dockerfile": "service", "packages": ["two"], "args": {"A": "1", "B": "2"}}
    assert out["images"]["b"] == {"dockerfile": "indexer"}
    assert out["config"] == [{"into": "c", "file": "f", "template": "u", "secret": True}]


def site_folder(root: Path, component: str, *objects: dict[str, Any]) -> Path:
    folder = root / "catalogue" / "redis"
    folder.mkdir(parents=True)
    (folder / "component.yaml").write_text(component)
    if objects:
        (folder / "changes.yaml").write_text(yaml.safe_dump_all(objects))
    return root / "catalogue"


def test_a_site_changes_a_shipped_component_and_keeps_the_rest(tmp_path: Path) -> None:
    change = {"kind": "StatefulSet", "metadata": {"name": "redis"}, "spec": {"revisionHistoryLimit": 3}}
    extra = site_folder(tmp_path, "name: redis\nextends: true\ntitle: ours\n", change)
    ours, shipped = load_catalogue([str(extra)]).get("redis"), load_catalogue().get("redis")
    assert ours.title == "ours" and ours.store and ours.secrets == shipped.secrets
    new, old = ({m["kind"]: m for m in c.manifests}["StatefulSet"]["spec"] for c in (ours, shipped))
    assert new["revisionHistoryLimit"] == 3 and new["template"] == old["template"]
    entry = ConfigFile("f", "o", "redis.conf", rule="catalogue")
    looked = [p.parent for p in places(Site(home="/h"), ours, entry)]
    assert looked == [Path("/h/files"), extra / "redis", Path(shipped.folder)]


@pytest.mark.parametrize(
    ("component", "objects", "words"),
    [
        ("name: radis\nextends: true\n", (), "extends a component that no later folder has"),
        ("name: redis\nextends: true\nimage: {}\n", (), 'unknown key "image"'),
        (
            "name: redis\nextends: true\n",
            ({"kind": "Job", "metadata": {"name": "x"}, "$patch": "delete"},),
            "Job/x cannot be removed",
        ),
        ("name: redis\n", ({"kind": "Job", "metadata": {"name": "x"}, "$patch": "delete"},), "extends: true"),
    ],
)
def test_changes_that_do_not_fit_are_refused(
    tmp_path: Path, component: str, objects: tuple[dict[str, Any], ...], words: str
) -> None:
    extra = site_folder(tmp_path, component, *objects)
    with pytest.raises(ConfigError) as err:
        load_catalogue([str(extra)])
    assert words in str(err.value) and str(extra) in err.value.target


def test_manifests_of_site_yaml_are_relative_to_the_site(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("A: 1\n")
    (tmp_path / "site.yaml").write_text("manifests: [mine, /abs]\n")
    assert load_site(tmp_path).manifests == (f"{tmp_path}/mine", "/abs")


def test_an_optional_file_that_no_site_has_is_left_out(tmp_path: Path) -> None:
    entry = ConfigFile("tls.crt", "tls", "tls.crt", secret=True, raw=True, optional=True)
    component, site = Component("a", config=(entry,)), Site(home=str(tmp_path))
    catalogue = load_catalogue()
    assert load_texts(site, [component]) == {}
    assert config_objects(site, catalogue, component, {}) == []
    (tmp_path / "files").mkdir()
    (tmp_path / "files/tls.crt").write_text("PEM")
    (made,) = config_objects(site, catalogue, component, load_texts(site, [component]))
    assert made["kind"] == "Secret" and list(made["data"]) == ["tls.crt"]


def test_the_example_for_public_packages_loads() -> None:
    root = Path(__file__).resolve().parents[2] / "examples/hysds-site/manifests"
    catalogue = load_catalogue([str(root)])
    mozart = catalogue.get("mozart")
    assert mozart.images["mozart"].packages[-1] == "mozart" and mozart.images["indexer"].dockerfile == "indexer"
    (api,) = [m for m in mozart.manifests if m["kind"] == "Deployment" and m["metadata"]["name"] == "mozart-api"]
    (container,) = api["spec"]["template"]["spec"]["containers"]
    assert "httpGet" not in container["readinessProbe"] and "httpGet" in container["livenessProbe"]
    assert {c.file for c in mozart.config if c.into == "mozart-indexer"} == {"indexer.json"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"spec": {"template": {"spec": {"containers": "nope"}}}}, "containers is not a list"),
        ({"spec": {"template": {"spec": {"containers": [{"image": "i"}]}}}}, "containers is not a list"),
        ({"spec": {"template": None}}, "spec.template is not a mapping"),
        ({"metadata": {"name": "a", "labels": ["x"]}}, "metadata.labels is not a mapping"),
    ],
)
def test_objects_of_another_shape_are_refused_with_their_name(tmp_path: Path, odd: dict[str, Any], words: str) -> None:
    component = tmp_path / "manifests/mine"
    component.mkdir(parents=True)
    (component / "component.yaml").write_text("name: mine\n")
    (component / "a.yaml").write_text(yaml.safe_dump({**deployment(), **odd}))
    with pytest.raises(ConfigError, match="Deployment/a") as err:
        load_catalogue([str(tmp_path / "manifests")])
    assert words in err.value.what and err.value.target == str(component)
