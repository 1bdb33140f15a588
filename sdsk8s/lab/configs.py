"""Configuration files of the lab's parts, as a mapping of path to text. Pure: nothing is read or written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sdsk8s.lab.plan import BRIDGES, Lab, Node

PAUSE_IMAGE = "sdsk8s/pause:1"
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")


def files(lab: Lab, cni_folder: str, mtu: int, forward_dns: bool) -> dict[Path, str]:
    """All files below the lab's `etc`.

    cni_folder   where the CNI plugins are
    mtu          of the pods' devices
    forward_dns  whether the host has name servers to forward other names to
    """
    found = {
        lab.etc / "Corefile": corefile(lab, forward_dns),
        lab.etc / "registry.yml": dump(registry(lab)),
        lab.etc / "docker.json": json.dumps(docker(lab), indent=2),
        lab.etc / "docker-containerd.toml": docker_containerd(lab),
        lab.etc / "pods-resolv.conf": f"nameserver {lab.address}\n",
        lab.etc / "certs.d" / lab.registry / "hosts.toml": registry_hosts(lab),
    }
    for node in lab.nodes:
        folder = lab.etc / node.name
        found[folder / "containerd.toml"] = containerd(lab, node, cni_folder)
        found[folder / "kubelet.yaml"] = dump(kubelet(lab, node))
        found[folder / "kube-proxy.yaml"] = dump(kube_proxy(lab, node))
        found[folder / "cni" / "10-lab.conflist"] = json.dumps(cni(lab, node, mtu), indent=2)
    return found


def dump(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False)


def corefile(lab: Lab, forward_dns: bool) -> str:
    """Cluster names from the API server, all others from the machine's own name servers."""
    forward = "    forward . /etc/resolv.conf {\n        max_concurrent 1000\n    }\n" if forward_dns else ""
    return f""".:53 {{
    bind {lab.address}
    errors
    health {lab.loopback}:8080
    ready {lab.loopback}:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {lab.pki / "coredns.kubeconfig"}
        pods insecure
        ttl 5
        fallthrough in-addr.arpa ip6.arpa
    }}
{forward}    cache 5
}}
"""


def registry(lab: Lab) -> dict[str, Any]:
    return {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(lab.state / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": lab.registry},
    }


def registry_hosts(lab: Lab) -> str:
    return f'server = "http://{lab.registry}"\n\n[host."http://{lab.registry}"]\ncapabilities = ["pull", "resolve"]\n'


def docker(lab: Lab) -> dict[str, Any]:
    """dockerd for image builds only: no bridge, no firewall rules, builds use the host's network."""
    return {
        "hosts": [f"unix://{lab.docker_socket}"],
        "containerd": str(lab.run / "docker-containerd.sock"),
        "data-root": str(lab.state / "docker"),
        "exec-root": str(lab.run / "docker"),
        "pidfile": str(lab.run / "docker.pid"),
        "bridge": "none",
        "iptables": False,
        "ip-forward": False,
        "ip-masq": False,
        "cgroup-parent": f"{lab.cgroup}/docker",
        "insecure-registries": [BRIDGES],
        "oom-score-adjust": 0,
    }


def docker_containerd(lab: Lab) -> str:
    return f"""version = 2
root = "{lab.state}/docker-containerd"
state = "{lab.run}/docker-containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.devmapper", \
"io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]

[grpc]
address = "{lab.run}/docker-containerd.sock"
"""


def containerd_socket(lab: Lab, node: Node) -> Path:
    return lab.run / f"{node.name}.sock"


def containerd(lab: Lab, node: Node, cni_folder: str) -> str:
    """Machines without CAP_SYS_RESOURCE need `restrict_oom_score_adj`; elsewhere it does no harm."""
    return f"""version = 2
root = "{lab.state}/hosts/{node.name}/containerd"
state = "{lab.run}/{node.name}-containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]

[grpc]
address = "{containerd_socket(lab, node)}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{lab.registry}/{PAUSE_IMAGE}"
restrict_oom_score_adj = true
stream_server_address = "127.0.0.1"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{cni_folder}"
conf_dir = "{lab.etc}/{node.name}/cni"

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{lab.etc}/certs.d"
"""


def cni(lab: Lab, node: Node, mtu: int) -> dict[str, Any]:
    """Pods keep their own address towards pods and hosts of the lab; the machine masquerades the rest."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "mtu": mtu,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": node.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {
        "cniVersion": "0.4.0",
        "name": "lab",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def kubelet(lab: Lab, node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(lab.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(lab.pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(lab.pki / f"{node.name}.key"),
        "containerRuntimeEndpoint": f"unix://{containerd_socket(lab, node)}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"{lab.cgroup}/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [lab.address],
        "clusterDomain": "cluster.local",
        "resolvConf": str(lab.etc / "pods-resolv.conf"),
        "podLogsDir": str(lab.state / "hosts" / node.name / "pods"),
        "volumePluginDir": str(lab.state / "hosts" / node.name / "volume-plugins"),
        # Absolute floors: a laptop's disk that is 92 % full still has room for a lab.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "imageGCHighThresholdPercent": 98,
        "imageGCLowThresholdPercent": 97,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 3,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
    }


def kube_proxy(lab: Lab, node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": node.address,
        "clientConnection": {"kubeconfig": str(lab.pki / "proxy.kubeconfig")},
        "clusterCIDR": lab.pods,
        "hostnameOverride": node.name,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "iptables",
        "conntrack": {"maxPerCore": 0},
    }
