"""Fixtures of the suite on a real cluster: labs, a site on each, and the demo system on it.

Which cases run at the same time, and on which lab: balance.py. How processes share labs and images: labs.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import balance
import labs
import pytest
from labs import Lab

from sdsk8s.lab import packages

ROOT = labs.ROOT
BIN = labs.BIN
NEEDS_A_LAB = {"lab", "namespace", "bare_system", "system"}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        labs.begin()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """After the last process has ended, and before the count of cases is printed."""
    if not hasattr(session.config, "workerinput"):
        left = labs.end()
        if left:
            print(f"\nthese labs were not ended: {left}")
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups in their order, and the mark `lab` on all that needs one: `-m "not lab"` are the quick cases."""
    items[:] = balance.ordered(items)
    for item in items:
        if NEEDS_A_LAB & set(getattr(item, "fixturenames", ())) or item.nodeid.startswith(
            ("tests/lab/", "tests/real/")
        ):
            item.add_marker("lab")


def pytest_collection_finish(session: pytest.Session) -> None:
    """One lab is enough for one process, and for cases that would all be on the second one."""
    wanted = {balance.lab_of(item.nodeid) for item in session.items if "lab" in getattr(item, "fixturenames", ())}
    labs.ALONE = not hasattr(session.config, "workerinput") or len(wanted) < 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes (-n): one of them takes a whole group."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return balance.group_of(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


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


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Lab:
    """The lab of the module's group. It stays up until the run ends."""
    return labs.running(balance.lab_of(request.node.nodeid))


@pytest.fixture(scope="module")
def bare_system(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> System:
    """The demo site's folder and tree, prepared as `make demo` does; nothing deployed yet. One for all modules."""
    if lab.name not in PREPARED:
        keep = os.environ.get("SDSK8S_TEST_SITE")
        folder = Path(keep + lab.name.removeprefix(labs.FIRST)) if keep else tmp_path_factory.mktemp("site")
        labs.prepared(lab, folder)
        env = {
            **os.environ,
            "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}",
            "KUBECONFIG": lab.kubeconfig,
            "SDS_HOME": str(folder / "sds"),
        }
        PREPARED[lab.name] = System(lab, folder / "sds", folder / "ops", env=env)
    return PREPARED[lab.name]


PREPARED: dict[str, System] = {}
STARTED: set[str] = set()
FAILED: list[str] = []


@pytest.fixture(scope="module")
def system(bare_system: System) -> System:
    """The whole demo system, built from its tree and started with the legacy verbs. One for all modules."""
    if bare_system.lab.name not in STARTED:
        # A start that fails is tried again once; a third time would only be waited for.
        assert len(FAILED) < 2, f"the demo system did not start:\n{FAILED[-1]}"
        try:
            start(bare_system)
        except AssertionError as err:
            FAILED.append(str(err))
            raise
        STARTED.add(bare_system.lab.name)
    return bare_system


def start(system: System) -> None:
    """The first system of a run builds the images, those of the stores too; the other one takes them."""
    with labs.turn("images") as images:
        if images.exists():
            labs.take_images(system.lab, images)
        else:
            system.sds("update", "all", "-f", timeout=1800)
            system.sdsk8s("images", "push", timeout=1800)
            labs.keep_images("demo", system.lab, images)
    system.sds("update", "all", "-f", timeout=1800)
    system.sdsk8s("start", "all", "--yes", timeout=1200)


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    """An empty namespace of the test's own, and a new one when the test runs again: the first may still be ending."""
    name = f"t-{uuid.uuid4().hex[:8]}"
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


def installed(programs: Mapping[str, str]) -> None:
    """Debian packages that tests need beside the project: {path of a program: package}. Those missing are installed."""
    with packages.turn():
        missing = [package for path, package in programs.items() if not Path(path).exists()]
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


def at_most(seconds: float) -> float:
    """A limit of time, stretched up to fivefold while more wants to run than the machine has cores for."""
    return seconds * min(5.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def eventually(check: Any, timeout: float = 60, every: float = 0.5) -> Any:
    """The first true result of `check()`; the last one in the failure message when time is over."""
    begun = time.monotonic()
    while True:
        value = check()
        if value:
            return value
        took = time.monotonic() - begun
        assert took < at_most(timeout), f"not within {took:.0f} s; last: {value!r}"
        time.sleep(every)
