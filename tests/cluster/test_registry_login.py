"""A registry that requires credentials: what an operator is told without them, and that one login makes pods ready."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml
from conftest import System, eventually
from tiny import remove, tiny_site

pytestmark = pytest.mark.lab

USER, PASSWORD = "puller", "correct horse & battery"


@dataclass(frozen=True)
class Guarded:
    """port: of a registry with htpasswd on every address; address: as the nodes call it."""

    port: int
    address: str


@pytest.fixture(scope="module")
def guarded(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A second registry over the storage of the lab's own: what is pushed there can be pulled here, with a password."""
    folder = tmp_path_factory.mktemp("guarded")
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    state = Path(lab.kubeconfig).parent
    secret = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=5)).decode()
    (folder / "htpasswd").write_text(f"{USER}:{secret}\n")
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(state / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"0.0.0.0:{port}"},
        "auth": {"htpasswd": {"realm": "guarded", "path": str(folder / "htpasswd")}},
    }
    (folder / "registry.yml").write_text(yaml.safe_dump(settings))
    address = f"{lab.registry.rpartition(':')[0]}:{port}"
    hosts = state / "etc/certs.d" / address
    hosts.mkdir(parents=True)
    (hosts / "hosts.toml").write_text(
        f'server = "http://{address}"\n[host."http://{address}"]\ncapabilities = ["pull", "resolve"]\n'
    )
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "registry.yml")], stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            eventually(lambda: answers(port), timeout=20)
            yield Guarded(port, address)
        finally:
            server.terminate()
            server.wait(10)
            (hosts / "hosts.toml").unlink()
            hosts.rmdir()


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2)
    except urllib.error.HTTPError as err:
        return err.code == 401
    except OSError:
        return False
    return False


@pytest.fixture(scope="module")
def site(lab: Any, guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A site whose finished image is in the guarded registry."""
    folder = tmp_path_factory.mktemp("login")
    found = tiny_site(lab, folder, "tiny-login")
    (row,) = found.sdsk8s("images", "push", "tiny", "-o", "json").json["images"]
    path, _, tag = row["reference"].partition("/")[2].partition(":")
    settings = found.home / "site.yaml"
    data = yaml.safe_load(settings.read_text())
    data["images"]["tiny"] = f"{guarded.address}/{path}:{tag}"
    settings.write_text(yaml.safe_dump(data))
    manifest = folder / "manifests/tiny/tiny.yaml"
    objects = yaml.safe_load(manifest.read_text())
    # what a node holds already must not hide that it may not pull
    objects["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    manifest.write_text(yaml.safe_dump(objects))
    found.env["DOCKER_CONFIG"] = str(folder / "docker")
    yield found
    remove(found)


def ready(site: System) -> bool:
    return bool(site.get("deployment", "tiny").get("status", {}).get("readyReplicas"))


def test_without_credentials_the_cause_and_the_cure_are_named(site: System, guarded: Guarded) -> None:
    done = site.sdsk8s("start", "tiny", "--yes", "--timeout", "120", ok=False)
    assert done.code == 3
    assert "no pull secret in namespace tiny-login" in done.err + done.out
    assert f"sdsk8s registry login {guarded.address} --namespace tiny-login" in done.err + done.out


def test_bad_or_missing_credentials_change_nothing(site: System, guarded: Guarded) -> None:
    missing = site.sdsk8s("registry", "login", guarded.address, ok=False)
    assert missing.code == 4 and "--password-stdin" in missing.err
    # the same registry by loopback, where credentials may go over plain HTTP and are tried before they are stored
    wrong = site.sdsk8s(
        "registry", "login", f"127.0.0.1:{guarded.port}", ok=False,
        SDS_REGISTRY_USERNAME=USER, SDS_REGISTRY_PASSWORD="wrong",
    )  # fmt: skip
    assert wrong.code == 1 and "does not accept" in wrong.err and "wrong" not in wrong.err.replace("is wrong", "")
    assert site.sdsk8s("registry", "ls").out == "none\n"


def test_after_login_the_pod_becomes_ready_and_no_manifest_was_touched(site: System, guarded: Guarded) -> None:
    before = site.get("deployment", "tiny")
    done = subprocess.run(
        [str(Path(site.env["PATH"].split(":")[0]) / "sdsk8s"), "registry", "login", guarded.address,
         "--username", USER, "--password-stdin", "-o", "json"],
        input=PASSWORD + "\n", env=site.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    facts = json.loads(done.stdout)
    assert facts["service_accounts"] == ["default"] and len(facts["pods_made_again"]) == 1
    assert PASSWORD not in done.stdout + done.stderr
    eventually(lambda: ready(site), timeout=60)
    after = site.get("deployment", "tiny")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert site.sdsk8s("registry", "ls", "-o", "json").json == [{"registry": guarded.address, "user": USER}]


def test_a_lost_secret_is_explained_and_logging_in_again_heals(site: System, guarded: Guarded) -> None:
    site.kubectl("delete", "secret", "sdsk8s-registry")
    site.sdsk8s("stop", "tiny", "--yes")
    told = site.sdsk8s("start", "tiny", "--yes", ok=False)
    words = "no pull secret in namespace tiny-login (sdsk8s-registry is named but does not exist)"
    assert told.code == 3 and words in told.err + told.out
    auths = {"auths": {guarded.address: {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
    folder = Path(site.env["DOCKER_CONFIG"])
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(auths))
    os.chmod(folder / "config.json", 0o600)
    done = site.sdsk8s("registry", "login", guarded.address)
    assert "from docker login" in done.out and PASSWORD not in done.out + done.err
    eventually(lambda: ready(site), timeout=60)
    assert site.sdsk8s("registry", "logout", guarded.address).out == f"{guarded.address}: removed\n"
    assert site.kubectl("get", "secret", "sdsk8s-registry", ok=False).code == 1
