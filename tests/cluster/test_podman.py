"""Podman's service in the Docker Engine's place: build, push, find, pull and remove, against the lab's registry."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Lab, eventually, installed

from sdsk8s.backends.docker.engine import BuildRequest, Engine
from sdsk8s.errors import ImageError

pytestmark = pytest.mark.lab
V2 = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="module")
def podman(lab: Lab) -> Iterator[Engine]:
    """An engine of its own, in a folder that goes away: Podman refuses paths of more than 50 letters."""
    installed({"/usr/bin/podman": "podman"})
    with tempfile.TemporaryDirectory(prefix="podman-", dir="/tmp") as folder:
        yield from service(lab, Path(folder))


def service(lab: Lab, folder: Path) -> Iterator[Engine]:
    registries = folder / "registries.conf"
    registries.write_text(f'[[registry]]\nlocation = "{lab.registry}"\ninsecure = true\n')
    socket = f"unix://{folder}/sock"
    where = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]
    process = subprocess.Popen(
        ["podman", *where, "--cgroup-manager", "cgroupfs", "system", "service", "-t", "0", socket],
        env={**os.environ, "CONTAINERS_REGISTRIES_CONF": str(registries)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: (folder / "sock").exists(), timeout=30)
    yield Engine(socket)
    process.terminate()
    process.wait(timeout=30)
    subprocess.run(["podman", *where, "rmi", "--all", "--force"], stdout=subprocess.DEVNULL, check=True)


def request(lab: Lab, folder: Path, tag: str, run: str) -> BuildRequest:
    dockerfile = f"FROM {lab.registry}/debian:12-slim\nARG WHO\nRUN {run}\nLABEL sdsk8s/test=podman\nUSER 10001:10001\n"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile)
        tar.addfile(info, io.BytesIO(dockerfile.encode()))
    context.seek(0)
    ref = f"{lab.registry}/podman/test:{tag}"
    return BuildRequest("test", ref, context, dockerfile, folder / "build.log", args={"WHO": "operator"})


def test_an_image_is_built_pushed_and_pulled_by_podman(podman: Engine, lab: Lab, tmp_path: Path) -> None:
    lines: list[str] = []
    built = podman.build(request(lab, tmp_path, "one", "echo hello $WHO | tee /hello"), lines.append)
    assert "hello operator" in lines and built.size_bytes > 10_000_000
    assert podman.config(built.ref)["User"] == "10001:10001"
    assert [i.ref for i in podman.labelled("sdsk8s/test=podman")] == [built.ref]
    digest = podman.push(built.ref, lines.append)
    head = urllib.request.Request(
        f"http://{lab.registry}/v2/podman/test/manifests/one", method="HEAD", headers={"Accept": V2}
    )
    with urllib.request.urlopen(head, timeout=10) as reply:
        assert reply.headers["Docker-Content-Digest"] == digest
    with tarfile.open(fileobj=io.BytesIO(b"".join(podman.files(built.ref)))) as tar:
        assert tar.getnames()
    podman.remove(built.ref)
    assert not podman.has(built.ref)
    podman.pull(built.ref, lines.append)
    assert podman.has(built.ref)


def test_a_step_that_fails_is_named(podman: Engine, lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="was not built") as err:
        podman.build(request(lab, tmp_path, "two", "echo no && false"), lambda _: None)
    assert "Dockerfile line 3" in err.value.target and "exit status 1" in err.value.words
    assert not podman.has(f"{lab.registry}/podman/test:two")


def test_a_push_that_is_refused_is_an_error(podman: Engine, lab: Lab) -> None:
    with pytest.raises(ImageError, match="was not pushed") as err:
        podman.push(f"{lab.registry}/podman/test:nothing", lambda _: None)
    assert "image not known" in err.value.words
