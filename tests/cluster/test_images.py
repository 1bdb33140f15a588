"""Images as they are after a real build: what is in them, what is not, how large, and when nothing is built."""

from __future__ import annotations

import base64
import io
import json
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from sdsk8s.backends.docker.builder import Workshop
from sdsk8s.backends.docker.engine import Engine
from sdsk8s.backends.docker.host_settings import HostNet, detect
from sdsk8s.backends.registry import Registry
from sdsk8s.errors import ImageError
from sdsk8s.model.image import ImageSpec
from sdsk8s.render.images import content_tag, image_ref

pytestmark = pytest.mark.lab

ROOT = Path(__file__).resolve().parents[2]
SITE = "imagetest"
# A CA that no public bundle has; building with it in the bundle must leave no trace of it.
MARKER = "MIIBsdsk8sTestMarkerThatMustNotBeInAnyImage"
COMPILERS = ("gcc", "cc", "g++", "c++", "clang", "make", "ld", "as", "javac", "mvn", "go", "rustc")
STORES = ("redis", "rabbitmq", "elasticsearch")


@dataclass
class Built:
    """One built image: how to reach it, and every path in it."""

    name: str
    ref: str
    digest: str
    config: dict[str, Any]
    size: int
    members: dict[str, tarfile.TarInfo]
    rootfs: tarfile.TarFile

    def read(self, path: str) -> bytes:
        handle = self.rootfs.extractfile(self.members[path])
        assert handle is not None
        return handle.read()


class Bench:
    """Builds images of a small tree against the lab's engine and registry, each once."""

    def __init__(self, lab: Any, work: Path) -> None:
        self.lab = lab
        self.work = work
        self.engine = Engine(lab.docker_url)
        self.registry = Registry()
        self.client = docker.DockerClient(base_url=lab.docker_url)
        self.shop = Workshop(ROOT / "dockerfiles", self.tree(), self.net())
        self.builds = 0

    def tree(self) -> Path:
        ops = self.work / "ops"
        (ops / "core/core").mkdir(parents=True)
        (ops / "core/setup.py").write_text(
            "from setuptools import setup\n"
            "setup(name='core', version='1.0', packages=['core'], install_requires=['requests>=2.31,<3'],\n"
            "      entry_points={'console_scripts': ['core-run = core:main']})\n"
        )
        (ops / "core/core/__init__.py").write_text("def main():\n    print('core ran')\n")
        (ops / "core/settings.cfg").write_text("in the tree\n")
        return ops

    def net(self) -> HostNet:
        import os

        found = detect(os.environ)
        pem = f"-----BEGIN CERTIFICATE-----\n{MARKER}\n-----END CERTIFICATE-----\n".encode()
        files = dict(found.files)
        if "ca.crt" in files:
            # comments between certificates are allowed in a bundle, a broken certificate is not
            files["ca.crt"] += b"\n# " + MARKER.encode() + b"\n"
        files["marker"] = pem
        return HostNet(files, found.proxies, found.facts)

    def tag(self, spec: ImageSpec) -> str:
        base = "" if spec.dockerfile == "base" else self.tag(self.base)
        return content_tag(spec, base, self.shop.inputs(spec), self.shop.args(spec))

    @property
    def base(self) -> ImageSpec:
        return ImageSpec("base", "base", args={"FROM_IMAGE": self.lab.base_image})

    def ensure(self, spec: ImageSpec) -> str:
        """The reference of the image; built and pushed unless the registry has it."""
        ref = image_ref(self.lab.registry, SITE, spec.name, self.tag(spec))
        if self.registry.digest(ref) is None:
            parent = None if spec.dockerfile == "base" else self.ensure(self.base)
            log = self.work / f"{spec.name}.log"
            self.shop.build(
                self.engine, spec, ref, parent=parent, inputs=self.shop.inputs(spec), log=log, on_line=lambda line: None
            )
            self.builds += 1
            digest = self.engine.push(ref, lambda line: None)
            assert digest == self.registry.digest(ref)
        return ref

    def open(self, spec: ImageSpec) -> Built:
        ref = self.ensure(spec)
        if not self.engine.has(ref):
            self.client.images.pull(ref)
        container = self.client.containers.create(ref)
        try:
            data = b"".join(container.export())
        finally:
            container.remove()
        rootfs = tarfile.open(fileobj=io.BytesIO(data))  # noqa: SIM115
        members = {posixpath.normpath("/" + m.name): m for m in rootfs.getmembers()}
        config = self.client.api.inspect_image(ref)["Config"]
        digest = self.registry.digest(ref)
        assert digest is not None
        return Built(spec.name, ref, digest, config, self.engine.size(ref), members, rootfs)

    def run(self, ref: str, *argv: str) -> str:
        """Run a command as pods do: read-only root, no capabilities."""
        out: bytes = self.client.containers.run(
            ref, list(argv), remove=True, read_only=True, cap_drop=["ALL"], network_mode="host",
            security_opt=["no-new-privileges"],
        )  # fmt: skip
        return out.decode()


def certificates(bundle: bytes) -> set[bytes]:
    """Base64 bodies of the certificates of a PEM bundle, without line ends."""
    pem = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.S)
    return {b"".join(body.split()) for body in pem.findall(bundle)}


@pytest.fixture(scope="module")
def bench(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(lab, tmp_path_factory.mktemp("images"))


LINKS = {"/opt/sds/ops/core/settings.cfg": "/opt/sds/etc/core.cfg"}


def spec(name: str) -> ImageSpec:
    if name in STORES:
        return ImageSpec(name, name)
    return ImageSpec(name, name, packages=("core",), links=LINKS)


@pytest.fixture(scope="module", params=["base", "service", "worker", *STORES])
def image(request: pytest.FixtureRequest, bench: Bench) -> Iterator[Built]:
    built = bench.open(bench.base if request.param == "base" else spec(request.param))
    yield built
    built.rootfs.close()


def test_image_is_within_its_budget(image: Built, bench: Bench) -> None:
    print(bench.shop.budgets.words(image.name, image.name, image.size))
    bench.shop.budgets.check(image.name, image.name, image.size)


def test_image_runs_as_a_numeric_user_and_holds_no_setuid_file(image: Built) -> None:
    assert image.config["User"] == "10001:10001"
    assert [p for p, m in image.members.items() if m.isfile() and m.mode & 0o6000] == []
    assert [p for p, m in image.members.items() if m.isfile() and m.mode & 0o002] == []


def test_image_holds_no_compiler_no_cache_and_no_build_folder(image: Built) -> None:
    folders = ("/usr/bin", "/usr/local/bin", "/bin", "/opt/sds/venv/bin", "/opt/java/bin")
    assert [f"{f}/{c}" for f in folders for c in COMPILERS if f"{f}/{c}" in image.members] == []
    for path, member in image.members.items():
        inside = member.isfile() and any(
            path.startswith(prefix)
            for prefix in ("/build/", "/var/cache/apt/", "/var/lib/apt/lists/", "/tmp/", "/home/ops/")
        )
        assert not inside, path
        assert "/.cache/" not in path and "/pip/" not in path and "/.m2/" not in path, path


def test_nothing_of_the_building_host_is_left(image: Built, bench: Bench) -> None:
    needles = [MARKER.encode(), b"/build/net"]
    for value in bench.shop.net.proxies.values():
        needles.append(value.encode())
    # certificates that this host has beyond Debian's own, as text and as Java keeps them
    own = certificates(image.read("/etc/ssl/certs/ca-certificates.crt"))
    for body in certificates(bench.shop.net.files.get("ca.crt", b"")) - own:
        needles += [body[-60:], base64.b64decode(body)[-64:]]
    history = json.dumps(bench.client.api.history(image.ref)) + json.dumps(image.config)
    assert not any(needle.decode("latin-1") in history for needle in needles)
    for path, member in image.members.items():
        if member.isfile() and member.size < 2_000_000:
            data = image.read(path)
            assert not any(needle in data for needle in needles), path


def test_ca_store_is_debians_own(image: Built, bench: Bench) -> None:
    bundle = image.read("/etc/ssl/certs/ca-certificates.crt").decode()
    shipped = [p for p in image.members if p.startswith("/usr/share/ca-certificates/") and p.endswith(".crt")]
    assert bundle.count("BEGIN CERTIFICATE") == len(shipped) > 100
    assert not [p for p in image.members if p.startswith("/usr/local/share/ca-certificates/")]


def test_labels_say_what_it_is(image: Built, bench: Bench) -> None:
    labels = bench.registry.labels(image.ref)
    assert labels["org.opencontainers.image.title"] == image.name
    assert labels["org.opencontainers.image.version"] == image.ref.rpartition(":")[2]


def test_component_runs_its_code_and_reads_mounted_config(bench: Bench) -> None:
    ref = bench.ensure(spec("service"))
    assert bench.run(ref, "core-run") == "core ran\n"
    code = "import core, requests, os; print(os.readlink('/opt/sds/ops/core/settings.cfg'), core.__cached__)"
    link, cached = bench.run(ref, "python", "-c", code).split()
    assert link == "/opt/sds/etc/core.cfg"
    assert bench.run(ref, "python", "-c", f"import os; print(os.path.exists({cached!r}))") == "True\n"
    assert bench.run(ref, "sh", "-c", "id -u; command -v pip || echo no pip") == "10001\nno pip\n"


def test_same_input_is_not_built_again_and_a_change_installs_nothing(bench: Bench) -> None:
    first = bench.ensure(spec("service"))
    before = bench.builds
    assert bench.ensure(spec("service")) == first
    assert bench.builds == before
    source = bench.work / "ops/core/core/__init__.py"
    old = source.read_text()
    source.write_text(old + "# one more line\n")
    try:
        second = bench.ensure(spec("service"))
        assert second != first and bench.builds == before + 1
        log = (bench.work / "service.log").read_text()
        install = log.split("pip --python")[1].split("Step ")[0]
        assert "Using cache" in install, "a change of code must not install the dependencies again"
    finally:
        source.write_text(old)


def test_failed_build_names_the_step_and_the_words_of_pip(bench: Bench) -> None:
    setup = bench.work / "ops/core/setup.py"
    old = setup.read_text()
    setup.write_text(old.replace("requests>=2.31,<3", "requests==0.0.0.999"))
    try:
        with pytest.raises(ImageError) as err:
            bench.ensure(ImageSpec("broken", "service", packages=("core",)))
    finally:
        setup.write_text(old)
    assert "Dockerfile line" in err.value.target and "RUN" in err.value.target
    assert "requests==0.0.0.999" in err.value.words
    assert (bench.work / "broken.log").exists() and str(bench.work / "broken.log") in err.value.next
