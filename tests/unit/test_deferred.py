"""Packages that are loaded when something of them is used; each in a process of its own, which has loaded nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sdsk8s.backends.deferred import defer


def python(text: str, path: Path | None = None) -> list[str]:
    """What a fresh interpreter prints, in words."""
    env = {"PYTHONPATH": str(path)} if path else None
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True, env=env)
    return done.stdout.split()


def test_the_classes_of_the_api_groups_are_loaded_when_one_is_used() -> None:
    text = """
import sys
import sdsk8s.backends.kubernetes.kubeconfig
print(sum(name.startswith("kubernetes.client.models.") for name in sys.modules))
import kubernetes
from kubernetes import client, watch
print(client.V1Pod(kind="Pod").kind, client.models.V1Pod is client.V1Pod, hasattr(client, "V1Nonsense"))
print(client.CoreV1Api(client.ApiClient(client.Configuration())).api_client is not None, watch.Watch.__name__)
print(kubernetes.config.load_kube_config.__module__, client.ApiClient.__module__)
"""
    assert python(text) == [
        "0", "Pod", "True", "False", "True", "Watch", "kubernetes.config.kube_config", "kubernetes.client.api_client",
    ]  # fmt: skip


def test_the_docker_package_comes_without_paramiko_until_an_engine_is_behind_ssh() -> None:
    text = """
import sys
from sdsk8s.backends.docker.engine import Engine
print("paramiko.client" in sys.modules)
import docker.transport
print(docker.transport.SSHHTTPAdapter.__name__)
import paramiko
print(paramiko.SSHClient.__module__)
"""
    assert python(text) == ["False", "SSHHTTPAdapter", "paramiko.client"]


def test_a_package_runs_once_and_its_modules_do_not_need_it(tmp_path: Path) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    (package / "__init__.py").write_text("print('run')\nfrom slow import part\nVALUE = 7\n")
    (package / "part.py").write_text("WORD = 'part'\n")
    text = """
import sys
from sdsk8s.backends.deferred import defer
defer("slow")
from importlib import import_module
print(import_module("slow.part").WORD)
import slow
print("asked", slow.VALUE, slow.part.WORD, hasattr(slow, "nothing"))
"""
    assert python(text, tmp_path) == ["part", "run", "asked", "7", "part", "False"]


def test_what_is_loaded_or_missing_stays_as_it_is() -> None:
    before = sys.modules["subprocess"]
    defer("subprocess")
    assert sys.modules["subprocess"] is before
    defer("no_such_package")
    with pytest.raises(ModuleNotFoundError):
        __import__("no_such_package")


def test_a_host_over_ssh_may_be_opened_after_an_engine() -> None:
    code = "import sdsk8s.backends.docker.engine, sdsk8s.backends.ssh.host as host; print(host.paramiko.RejectPolicy)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "RejectPolicy" in done.stdout, done.stderr
