"""Components that still live on a virtual machine: asked over a real sshd, under a real supervisord."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sdsk8s.backends.ssh import Remote, RemoteError

BIN = Path(sys.executable).parent
SSHD = "/usr/sbin/sshd"


@dataclass
class Machine:
    """A host on loopback: address as the configuration writes it, its key files, and the folder of OPS_HOME."""

    address: str
    key: Path
    known_hosts: Path
    home: Path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if not Path(SSHD).exists():
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        apt = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "openssh-server"]
        subprocess.run(apt, check=True, env=env, stdout=subprocess.DEVNULL)
    folder = tmp_path_factory.mktemp("vm")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        f"StrictModes no\nUsePAM no\nPidFile {folder}/sshd.pid\nPasswordAuthentication no\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    known = folder / "known_hosts"
    words = (folder / "host.pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{port} {words[0]} {words[1]}\n")
    sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    programs = supervised(folder / "ops" / "metrics")
    wait_for(port, folder / "ops" / "metrics" / "run" / "supervisor.sock")
    user = os.environ.get("USER") or "root"
    yield Machine(f"{user}@127.0.0.1:{port}", folder / "user", known, folder / "ops")
    for process in (programs, sshd):
        process.terminate()
        process.wait(timeout=20)


def supervised(home: Path) -> subprocess.Popen[bytes]:
    """A component's folder as the legacy tool lays it out, with a supervisord that keeps two programs."""
    for name in ("bin", "etc", "run", "log"):
        (home / name).mkdir(parents=True)
    (home / "bin" / "supervisorctl").symlink_to(BIN / "supervisorctl")
    conf = home / "etc" / "supervisord.conf"
    conf.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile={home}/log/supervisord.log\npidfile={home}/run/supervisord.pid\n"
        f"[unix_http_server]\nfile={home}/run/supervisor.sock\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{home}/run/supervisor.sock\n"
        "[program:writer]\ncommand=sleep 600\nstartsecs=0\n"
        "[program:idle]\ncommand=sleep 600\nautostart=false\n"
    )
    command = [str(BIN / "supervisord"), "-c", str(conf)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(port: int, control: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            if control.exists():
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("sshd or supervisord did not start")


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


def test_missing_socket_and_missing_address_are_told_apart(site: Path) -> None:
    assert "supervisord not running on" in sds(site, "status", "factotum").stdout
    assert "no configured host, skipping: GRQ_PVT_IP is empty" in sds(site, "status", "grq").stdout


def test_verbs_that_would_change_something_refuse(site: Path) -> None:
    done = sds(site, "stop", "metrics", "-f")
    assert done.returncode == 1 and "where: ssh" in done.stderr


def test_unknown_host_key_is_refused(site: Path) -> None:
    (site / "known_hosts").unlink()
    done = sds(site, "status", "metrics")
    assert done.returncode == 1 and "the host's key is not known" in done.stdout


def test_results_carry_code_and_streams(machine: Machine) -> None:
    remote = Remote(machine.address, key=machine.key, known_hosts=machine.known_hosts)
    done = remote.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert remote.run(["printf", "%s", "a b;$(id)'\""]).stdout == "a b;$(id)'\""


def test_wrong_key_and_silent_host_are_named(machine: Machine, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    with pytest.raises(RemoteError, match="does not accept us"):
        Remote(machine.address, key=tmp_path / "other", known_hosts=machine.known_hosts).run(["true"])
    with pytest.raises(RemoteError, match="cannot be reached"):
        Remote("root@127.0.0.1:1", key=machine.key, known_hosts=machine.known_hosts).run(["true"])
