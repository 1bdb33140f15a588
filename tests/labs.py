"""Labs and demo systems of one test run, shared by its processes: who comes first brings up, the run's end takes down.

The first lab is SDSK8S_TEST_LAB (`test`), the second has its name with a 2. A lab that was up before the run stays, and
with SDSK8S_KEEP_LAB=1 all of them do. Both systems are built once, by the engine of the first lab.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
FIRST = os.environ.get("SDSK8S_TEST_LAB", "test")
RUN = "SDSK8S_TEST_RUN"
ALONE = True
"""Whether the first lab is for all cases; set when the cases of the run are known."""
# A bare machine builds Kubernetes first, and other cases run meanwhile.
BRING_UP_S = 2400


@dataclass(frozen=True)
class Lab:
    """Facts of a running test lab. docker_url and parent (the image that images begin with) are the first lab's."""

    name: str
    kubeconfig: str
    registry: str
    docker_url: str
    tools: str
    base_image: str
    parent: str


def begin() -> None:
    """Called once per run, before there are other processes: the folder by which they know each other."""
    if RUN not in os.environ:
        os.environ[RUN] = tempfile.mkdtemp(prefix="sdsk8s-tests-")
        (folder() / "labs").mkdir()


def end() -> dict[str, str]:
    """Called once per run, by the process that began it: ends the labs that the run has brought up.

    Returns {lab: why it was not ended}.
    """
    here, left = folder(), {}
    del os.environ[RUN]
    if not os.environ.get("SDSK8S_KEEP_LAB"):
        for name in sorted(p.name for p in (here / "labs").iterdir()):
            down = [str(BIN / "sdsk8s"), "lab", "down", "--name", name, "--purge"]
            done = subprocess.run(down, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                left[name] = done.stderr
    shutil.rmtree(here)
    return left


def folder() -> Path:
    return Path(os.environ[RUN])


@contextmanager
def turn(name: str) -> Iterator[Path]:
    """One process of the run at a time; the file is there for notes to the next one."""
    with (folder() / f"{name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder() / name


@functools.cache
def running(suffix: str) -> Lab:
    """The lab, and the first one with it, whose engine builds for all."""
    name = FIRST if ALONE else FIRST + suffix
    first = facts(FIRST)
    own = first if name == FIRST else facts(name)
    names = {key: own[key] for key in ("kubeconfig", "registry", "tools", "base_image")}
    return Lab(name, docker_url=first["docker"], parent=first["base_image"], **names)


def facts(name: str) -> dict[str, str]:
    """What `lab status` says of a lab that is up."""
    status = [str(BIN / "sdsk8s"), "lab", "status", "--name", name, "-o", "json"]
    with turn(f"lab-{name}"):
        if subprocess.run(status, capture_output=True, check=False).returncode != 0:
            (folder() / "labs" / name).touch()
        up = [str(BIN / "sdsk8s"), "lab", "up", "--name", name]
        subprocess.run(up, check=True, stdin=subprocess.DEVNULL, timeout=BRING_UP_S)
    found: dict[str, str] = json.loads(subprocess.run(status, check=True, capture_output=True, text=True).stdout)
    return found


def prepared(lab: Lab, place: Path) -> None:
    """The demo site's folder and tree, prepared as `make demo` does."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None and spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    before = dict(os.environ)
    try:
        demo.Demo(place, lab.name).prepare()
    finally:
        os.environ.clear()
        os.environ.update(before)
    site = place / "sds" / "site.yaml"
    settings = yaml.safe_load(site.read_text()) | {"engine": lab.docker_url, "images": {"base": lab.parent}}
    site.write_text(yaml.safe_dump(settings, sort_keys=False))


def keep_images(system: str, lab: Lab, place: Path) -> None:
    """A copy of the images of a site for the run's other lab: a registry's storage is plain files."""
    for part in ("blobs", f"repositories/{system}"):
        shutil.copytree(storage(lab) / part, place / part)


def take_images(lab: Lab, place: Path) -> None:
    shutil.copytree(place, storage(lab), dirs_exist_ok=True)


def storage(lab: Lab) -> Path:
    return Path(lab.kubeconfig).parent / "registry/docker/registry/v2"
