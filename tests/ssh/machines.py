"""A machine on loopback: a real sshd with keys of its own, and a component's folder under a real supervisord."""

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
from conftest import installed

BIN = Path(sys.executable).parent
SSHD = "/usr/sbin/sshd"
PACKAGES = {SSHD: "openssh-server", "/usr/bin/rsync": "rsync"}


@dataclass
class Machine:
    """A host on loopback: address as the configuration writes it, its key files, and the folder of OPS_HOME."""

    address: str
    key: Path
    known_hosts: Path
    home: Path


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    installed(PACKAGES)
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
        "Subsystem sftp internal-sftp\n"
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
