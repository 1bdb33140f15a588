"""`components new` on a real cluster: what it writes is accepted under Pod Security `restricted`, builds and serves."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
import yaml
from conftest import BIN, Lab, System

NAMESPACE = "new-component"


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A site with nothing of its own but a registry."""
    home = tmp_path_factory.mktemp("new") / "home"
    home.mkdir()
    (home / "config").write_text("VENUE: shore\n")
    settings = {
        "name": "new",
        "namespace": NAMESPACE,
        "registry": lab.registry,
        "engine": lab.docker_url,
        "manifests": ["manifests"],
        "images": {"base": lab.base_image},
    }
    (home / "manifests").mkdir()
    (home / "site.yaml").write_text(yaml.safe_dump(settings))
    env = {
        **os.environ,
        "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}",
        "KUBECONFIG": lab.kubeconfig,
        "SDS_HOME": str(home),
    }
    made = System(lab, home, home, namespace=NAMESPACE, env=env)
    yield made
    made.run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found")


def answer(site: System, service: str, path: str) -> str:
    """What the service says to a GET, asked through the API server's proxy: nothing of ours takes part."""
    return site.run(
        "kubectl", "get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/services/{service}:8080/proxy{path}"
    ).out


def test_a_new_component_builds_and_serves_as_it_was_written(site: System) -> None:
    site.sdsk8s("components", "new", "hello")
    assert "no findings" in site.sdsk8s("lint", str(site.home / "manifests/hello")).out
    done = site.sdsk8s("update", "hello", "--yes", "-o", "json").json
    assert done["state"] == "done"
    site.sdsk8s("start", "hello", "--yes")
    assert answer(site, "hello", "/") == "hello of shore\n" and answer(site, "hello", "/health") == "ok\n"
    labels = site.run("kubectl", "get", "namespace", NAMESPACE, "-o", "json").json["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    (component,) = site.sdsk8s("status", "hello", "-o", "json").json["components"]
    assert component["state"] == "ready"


def test_a_new_component_with_a_finished_image_serves_too(site: System) -> None:
    image = site.get("deployment", "hello")["spec"]["template"]["spec"]["containers"][0]["image"]
    site.sdsk8s("components", "new", "finished", "--image", image)
    rendered = site.home / "rendered"
    site.sdsk8s("render", "finished", "--out", str(rendered))
    accepted = site.kubectl("apply", "--server-side", "--dry-run=server", "-f", str(rendered))
    assert "deployment.apps/finished serverside-applied (server dry run)" in accepted.out
    assert "would violate PodSecurity" not in accepted.err
    site.sds("update", "finished", "-f")
    site.sds("start", "finished", "-f")
    assert answer(site, "finished", "/") == "finished of shore\n"


def test_a_change_of_its_program_is_a_new_image_and_its_settings_are_not(site: System) -> None:
    folder = site.home / "manifests/hello"
    (folder / "hello.conf").write_text((folder / "hello.conf").read_text().replace("message = ", "message = new "))
    plan = site.sdsk8s("update", "hello", "--dry-run").out
    assert "build" not in plan and "ConfigMap" in plan
    with (folder / "image/serve.py").open("a") as program:
        program.write(f"# {uuid.uuid4()}\n")  # a kept lab may have the image of an earlier run
    assert "build" in site.sdsk8s("update", "hello", "--dry-run").out
    site.sdsk8s("update", "hello", "--yes")
    assert answer(site, "hello", "/") == "new hello of shore\n"
