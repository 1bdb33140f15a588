"""The lab's long processes: their command lines, and the supervisord configuration that keeps them running."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdsk8s.lab import mounts
from sdsk8s.lab.configs import containerd_socket
from sdsk8s.lab.plan import API_PORT, Lab, Node
from sdsk8s.lab.shell import SYSTEM_PATH


@dataclass(frozen=True)
class Program:
    """One part. `wait_for` is a socket file that has to exist before it is started."""

    name: str
    command: tuple[str, ...]
    priority: int
    wait_for: Path | None = None


@dataclass(frozen=True)
class Binaries:
    """Where the programs are: Go tools in one folder, packages' programs by name."""

    tools: Path
    system: dict[str, str]
    python: str

    def tool(self, name: str) -> str:
        return str(self.tools / name)


def programs(lab: Lab, binaries: Binaries) -> list[Program]:
    """All parts of the lab, in the order of start."""
    found = [
        Program("etcd", etcd(lab, binaries), 10),
        Program("registry", (binaries.system["docker-registry"], "serve", str(lab.etc / "registry.yml")), 10),
        Program("apiserver", apiserver(lab, binaries), 20),
        Program("controller-manager", controller_manager(lab, binaries), 30),
        Program("scheduler", scheduler(lab, binaries), 30),
        Program("coredns", (binaries.tool("coredns"), "-conf", str(lab.etc / "Corefile")), 30),
    ]
    for node in lab.nodes:
        found += node_programs(lab, node, binaries)
    found += docker(lab, binaries)
    found.append(Program("volumes", (binaries.python, "-m", "sdsk8s.lab.volumes", str(lab.state)), 60))
    return found


def etcd(lab: Lab, binaries: Binaries) -> tuple[str, ...]:
    client, peer = f"https://{lab.loopback}:2379", f"https://{lab.loopback}:2380"
    key_pair = []
    for prefix in ("", "peer-"):
        key_pair += [
            f"--{prefix}cert-file={lab.pki}/etcd.crt",
            f"--{prefix}key-file={lab.pki}/etcd.key",
            f"--{prefix}trusted-ca-file={lab.pki}/ca.crt",
            f"--{prefix}client-cert-auth",
        ]
    return (
        binaries.system["etcd"],
        "--name=lab",
        f"--data-dir={lab.state}/etcd",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=lab={peer}",
        "--auto-compaction-retention=1",
        *key_pair,
    )


def apiserver(lab: Lab, binaries: Binaries) -> tuple[str, ...]:
    pki = lab.pki
    return (
        binaries.tool("kube-apiserver"),
        f"--advertise-address={lab.address}",
        f"--bind-address={lab.address}",
        f"--secure-port={API_PORT}",
        f"--etcd-servers=https://{lab.loopback}:2379",
        f"--etcd-cafile={pki}/ca.crt",
        f"--etcd-certfile={pki}/apiserver-kubelet.crt",
        f"--etcd-keyfile={pki}/apiserver-kubelet.key",
        f"--service-cluster-ip-range={lab.services}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        # Names of nodes are in no DNS.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.pub",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        # One CA for clients and the front proxy: without the name any client could act as the proxy.
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        "--enable-aggregator-routing=true",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
    )


def controller_manager(lab: Lab, binaries: Binaries) -> tuple[str, ...]:
    config = f"{lab.pki}/controller-manager.kubeconfig"
    return (
        binaries.tool("kube-controller-manager"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={lab.loopback}",
        f"--client-ca-file={lab.pki}/ca.crt",
        f"--root-ca-file={lab.pki}/ca.crt",
        f"--cluster-signing-cert-file={lab.pki}/ca.crt",
        f"--cluster-signing-key-file={lab.pki}/ca.key",
        f"--service-account-private-key-file={lab.pki}/service-accounts.key",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--cluster-name=lab-{lab.name}",
        f"--flex-volume-plugin-dir={lab.state}/flex",
        "--profiling=false",
        f"--cert-dir={lab.run}/controller-manager",
    )


def scheduler(lab: Lab, binaries: Binaries) -> tuple[str, ...]:
    config = f"{lab.pki}/scheduler.kubeconfig"
    return (
        binaries.tool("kube-scheduler"),
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={lab.loopback}",
        f"--client-ca-file={lab.pki}/ca.crt",
        "--leader-elect=false",
        "--profiling=false",
        f"--cert-dir={lab.run}/scheduler",
    )


def node_programs(lab: Lab, node: Node, binaries: Binaries) -> list[Program]:
    enter = tuple(mounts.enter(lab, node.name, node.netns))
    etc = lab.etc / node.name
    kubelet = (
        *enter,
        binaries.tool("kubelet"),
        f"--config={etc}/kubelet.yaml",
        f"--kubeconfig={lab.pki}/{node.name}.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        "--root-dir=/var/lib/kubelet",
    )
    return [
        Program(
            f"{node.name}-containerd",
            (*enter, binaries.system["containerd"], "--config", f"{etc}/containerd.toml"),
            40,
        ),
        Program(f"{node.name}-kubelet", kubelet, 50, wait_for=containerd_socket(lab, node)),
        Program(
            f"{node.name}-proxy",
            (*enter, binaries.tool("kube-proxy"), f"--config={etc}/kube-proxy.yaml"),
            50,
        ),
    ]


def docker(lab: Lab, binaries: Binaries) -> list[Program]:
    enter = tuple(mounts.enter(lab, mounts.DOCKER_HOST, None))
    return [
        Program(
            "docker-containerd",
            (*enter, binaries.system["containerd"], "--config", str(lab.etc / "docker-containerd.toml")),
            40,
        ),
        Program(
            "docker",
            (*enter, binaries.system["dockerd"], "--config-file", str(lab.etc / "docker.json")),
            50,
            wait_for=lab.run / "docker-containerd.sock",
        ),
    ]


def supervisord_conf(lab: Lab, parts: Sequence[Program], open_files: int) -> str:
    """The whole supervisord.conf. `%` is an escape character there."""
    blocks = [
        f"""[unix_http_server]
file={lab.supervisor_socket}
chmod=0700

[supervisord]
logfile={lab.logs}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={lab.run}/supervisord.pid
childlogdir={lab.logs}
directory=/
umask=022
minfds={open_files}
identifier=sdsk8s-lab-{lab.name}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    ]
    for part in parts:
        words = part.command
        if part.wait_for:
            script = f"until [ -S {shlex.quote(str(part.wait_for))} ]; do sleep 0.1; done; exec {shlex.join(words)}"
            words = ("/bin/sh", "-c", script)
        blocks.append(
            f"""[program:{part.name}]
command={shlex.join(words).replace("%", "%%")}
priority={part.priority}
autostart=true
autorestart=true
startsecs=1
startretries=1000000
stopwaitsecs=8
redirect_stderr=true
stdout_logfile={lab.logs}/{part.name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
"""
        )
    return "\n".join(blocks)


def environment() -> dict[str, str]:
    """What the parts see of the caller's environment: nothing. Proxies would cut them off from each other."""
    return {"PATH": SYSTEM_PATH, "HOME": "/root", "LANG": "C.UTF-8"}
