"""Components that still live on a virtual machine: asked over a real sshd, under a real supervisord."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import as_published
from machines import BIN, Machine, machine  # noqa: F401

from sdsk8s.backends.ssh import HostError, HostTarget


@pytest.fixture
def site(machine: Machine, tmp_path: Path) -> Path:
    (tmp_path / "config").write_text(
        f"METRICS_PVT_IP: {machine.address}\nKEY_FILENAME: {machine.key}\nOPS_HOME: {machine.home}\n"
        f"FACTOTUM_PVT_IP: {machine.address}\nGRQ_PVT_IP:\n"
    )
    (tmp_path / "site.yaml").write_text(
        "components: {metrics: {where: ssh}, factotum: {where: ssh}, grq: {where: ssh}}\n"
    )
    (tmp_path / "known_hosts").write_text(machine.known_hosts.read_text())
    return tmp_path


def sds(site: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(site), "KUBECONFIG": str(site / "none"), "HOME": str(site)}
    return subprocess.run([str(BIN / "sds"), *argv], env=env, capture_output=True, text=True, timeout=60, check=False)


def test_status_of_a_component_on_a_machine_needs_no_cluster(site: Path) -> None:
    done = sds(site, "status", "metrics")
    assert "supervised services" in done.stdout
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if line.startswith("[127.0.0.1]")}
    assert "RUNNING" in lines["writer"] and "STOPPED" in lines["idle"]
    assert done.returncode == 1, "a program that does not run is a fault"
    assert not as_published("status", json.loads(sds(site, "status", "metrics", "-o", "json").stdout))["ok"]


def test_missing_socket_and_missing_address_are_told_apart(site: Path) -> None:
    assert "supervisord not running on" in sds(site, "status", "factotum").stdout
    assert "no configured host, skipping: GRQ_PVT_IP is empty" in sds(site, "status", "grq").stdout


def test_verbs_that_would_change_something_refuse(site: Path) -> None:
    done = sds(site, "stop", "metrics", "-f")
    assert done.returncode == 1 and "where: ssh" in done.stderr


def test_unknown_host_key_is_refused(site: Path) -> None:
    (site / "known_hosts").unlink()
    done = sds(site, "status", "metrics")
    assert done.returncode == 1 and "unknown host key" in done.stdout


def test_results_carry_code_and_streams(machine: Machine) -> None:
    remote = HostTarget(machine.address, key=machine.key, known_hosts=machine.known_hosts)
    done = remote.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert remote.run(["printf", "%s", "a b;$(id)'\""]).stdout == "a b;$(id)'\""


def test_wrong_key_and_silent_host_are_named(machine: Machine, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    with pytest.raises(HostError, match="rejected the login"):
        HostTarget(machine.address, key=tmp_path / "other", known_hosts=machine.known_hosts).run(["true"])
    with pytest.raises(HostError, match="cannot be reached"):
        HostTarget("root@127.0.0.1:1", key=machine.key, known_hosts=machine.known_hosts).run(["true"])
