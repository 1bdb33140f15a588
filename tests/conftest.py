"""Fixtures of the suite on a real cluster: one lab named `test`, one site, one system on it.

SDSK8S_KEEP_LAB=1 keeps the lab after the run, which saves minutes next time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LAB = os.environ.get("SDSK8S_TEST_LAB", "test")


@dataclass(frozen=True)
class Lab:
    """Facts of the running test lab."""

    name: str
    kubeconfig: str
    registry: str
    docker_url: str
    tools: str
    base_image: str


@dataclass
class Done:
    """A finished command: code, stdout, stderr, seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class System:
    """A site on the lab, operated as a person would: by its commands."""

    lab: Lab
    home: Path
    tree: Path
    namespace: str = "sds"
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *argv: str, ok: bool = True, timeout: float = 600, **env: str) -> Done:
        """Run a command of ours or kubectl; with ok, a non-zero exit fails the test with all that it printed."""
        start = time.monotonic()
        done = subprocess.run(
            [str(BIN / argv[0]) if (BIN / argv[0]).exists() else argv[0], *argv[1:]],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        result = Done(done.returncode, done.stdout, done.stderr, time.monotonic() - start)
        assert not ok or result.code == 0, f"{' '.join(argv)} -> {result.code}\n{result.out}\n{result.err}"
        return result

    def sds(self, *argv: str, **kw: Any) -> Done:
        return self.run("sds", *argv, **kw)

    def sdsk8s(self, *argv: str, **kw: Any) -> Done:
        return self.run("sdsk8s", *argv, **kw)

    def kubectl(self, *argv: str, **kw: Any) -> Done:
        return self.run("kubectl", "-n", self.namespace, *argv, **kw)

    def get(self, *argv: str) -> Any:
        """`kubectl get ... -o json`, parsed."""
        return self.kubectl("get", *argv, "-o", "json").json

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Pods of the selector; those of finished Jobs are left out."""
        found = self.get("pods", "-l", selector)["items"]
        return [p for p in found if p["status"].get("phase") not in ("Succeeded", "Failed")]

    def url(self, service: str) -> str:
        """Address of a Service on a node port."""
        port = self.get("service", service)["spec"]["ports"][0]["nodePort"]
        node = self.run("kubectl", "get", "nodes", "-o", "json").json["items"][0]
        address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
        return f"http://{address}:{port}"

    def smoke(self, *argv: str, ok: bool = True) -> Done:
        """The demo site's own client: submits jobs over REST and waits for them. sdsk8s has no part in it."""
        script = ROOT / "examples" / "demo-site" / "smoke.py"
        return self.run(
            sys.executable, str(script), "--mozart", self.url("mozart"), "--grq", self.url("grq"), *argv, ok=ok
        )

    def workloads(self) -> dict[str, tuple[str, int]]:
        """{kind/name: (uid of the newest pod template revision, generation)} of everything deployed."""
        found = self.get("deployments,statefulsets", "-l", "app.kubernetes.io/part-of=sds")["items"]
        return {
            f"{o['kind']}/{o['metadata']['name']}": (o["metadata"]["uid"], o["metadata"]["generation"]) for o in found
        }


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    status = [str(BIN / "sdsk8s"), "lab", "status", "--name", LAB]
    was_up = subprocess.run(status, capture_output=True, check=False).returncode == 0
    subprocess.run([str(BIN / "sdsk8s"), "lab", "up", "--name", LAB], check=True, stdin=subprocess.DEVNULL)
    out = subprocess.run(
        [str(BIN / "sdsk8s"), "lab", "status", "--name", LAB, "-o", "json"], check=True, capture_output=True, text=True
    ).stdout
    facts = json.loads(out)
    names = ("kubeconfig", "registry", "tools", "base_image")
    yield Lab(LAB, docker_url=facts["docker"], **{n: facts[n] for n in names})
    # A lab that was up before this run belongs to somebody else: it stays.
    if not was_up and not os.environ.get("SDSK8S_KEEP_LAB"):
        subprocess.run([str(BIN / "sdsk8s"), "lab", "down", "--name", LAB, "--purge"], check=True)


@pytest.fixture(scope="session")
def bare_system(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> System:
    """The demo site's folder and tree, prepared as `make demo` does; nothing deployed yet."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None and spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    keep = os.environ.get("SDSK8S_TEST_SITE")
    folder = Path(keep) if keep else tmp_path_factory.mktemp("site")
    before = dict(os.environ)
    try:
        demo.Demo(folder, lab.name).prepare()
    finally:
        os.environ.clear()
        os.environ.update(before)
    env = {
        **os.environ,
        "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}",
        "KUBECONFIG": lab.kubeconfig,
        "SDS_HOME": str(folder / "sds"),
    }
    return System(lab, folder / "sds", folder / "ops", env=env)


@pytest.fixture(scope="session")
def system(bare_system: System) -> System:
    """The whole demo system, built from its tree and started with the legacy verbs."""
    bare_system.sds("update", "all", "-f", timeout=1800)
    bare_system.sdsk8s("start", "all", "--yes", timeout=1200)
    return bare_system


@pytest.fixture
def namespace(lab: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty namespace of the test's own."""
    name = f"t-{abs(hash(request.node.nodeid)) % 10**8}"
    env = {**os.environ, "KUBECONFIG": lab.kubeconfig}
    subprocess.run([f"{lab.tools}/kubectl", "create", "namespace", name], env=env, check=True, capture_output=True)
    yield name
    subprocess.run([f"{lab.tools}/kubectl", "delete", "namespace", name, "--wait=false"], env=env, check=False)


def relabelled(registry: Any, ref: str, tag: str, label: str, **settings: Any) -> str:
    """Give `tag` to another image of the same layers, which differs by a label and by these settings; its reference."""
    config = registry.config(ref)
    config["config"]["Labels"] = {**(config["config"].get("Labels") or {}), "test": label}
    config["config"] |= settings
    manifest, media_type = registry.manifest(ref)
    new = f"{ref.partition('@')[0].rpartition(':')[0]}:{tag}"
    body = json.dumps(config).encode()
    manifest["config"] |= {"digest": f"sha256:{hashlib.sha256(body).hexdigest()}", "size": len(body)}
    registry.put_image(new, body, manifest, media_type)
    return new


def installed(packages: Mapping[str, str]) -> None:
    """Debian packages that tests need beside the project: {path of a program: package}. Those missing are installed."""
    missing = [package for path, package in packages.items() if not Path(path).exists()]
    if missing:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        subprocess.run(apt, check=True, env=env, stdout=subprocess.DEVNULL)


def as_published(name: str, body: Any) -> Any:
    """The body, when it is as docs/reference/schemas/NAME.schema.json says."""
    import jsonschema

    schema = json.loads((ROOT / "docs" / "reference" / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(body, schema)
    return body


def eventually(check: Any, timeout: float = 60, every: float = 0.5) -> Any:
    """The first true result of `check()`; the last one in the failure message when time is over."""
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout} s; last: {value!r}"
        time.sleep(every)
