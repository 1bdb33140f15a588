"""Configuration files, command lines and the small parsers of the lab."""

from __future__ import annotations

import configparser
import json
import shlex
import stat
import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509

from sdsk8s.lab import cgroups, configs, mounts, net, objects, pki, programs, tools, volumes
from sdsk8s.lab.plan import MAX_LABS, Lab

LAB = Lab("demo", 3, 2, Path("/state/demo"))
FILES = configs.files(LAB, "/usr/lib/cni", 1400, forward_dns=True)
BINARIES = programs.Binaries(
    Path("/tools"),
    {name: f"/usr/bin/{name}" for name in ("etcd", "docker-registry", "containerd", "dockerd")},
    "/venv/python",
)


def test_every_file_parses() -> None:
    for path, text in FILES.items():
        if path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            assert yaml.safe_load(text)
        elif path.suffix in (".json", ".conflist"):
            assert json.loads(text)


def test_nodes_pull_from_the_labs_registry_over_plain_http() -> None:
    hosts = tomllib.loads(FILES[LAB.etc / "certs.d" / "172.30.3.1:5000" / "hosts.toml"])
    assert hosts["server"] == "http://172.30.3.1:5000"
    cri = tomllib.loads(FILES[LAB.etc / "node1" / "containerd.toml"])["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["sandbox_image"].startswith("172.30.3.1:5000/")
    assert cri["registry"]["config_path"] == "/state/demo/etc/certs.d"


def test_nodes_have_their_own_groups_addresses_and_ranges() -> None:
    for node in LAB.nodes:
        kubelet = yaml.safe_load(FILES[LAB.etc / node.name / "kubelet.yaml"])
        assert kubelet["cgroupRoot"] == f"/sdsk8s-demo/{node.name}"
        assert kubelet["address"] == node.address
        assert kubelet["authentication"]["anonymous"] == {"enabled": False}
        bridge = json.loads(FILES[LAB.etc / node.name / "cni" / "10-lab.conflist"])["plugins"][0]
        assert bridge["ipam"]["ranges"] == [[{"subnet": node.pods}]]
        assert bridge["mtu"] == 1400


def test_the_engine_may_push_to_the_registries_of_all_labs_and_to_no_other_by_plain_http() -> None:
    (insecure,) = json.loads(FILES[LAB.etc / "docker.json"])["insecure-registries"]
    registries = [Lab("x", index, 1, Path("/")).registry for index in range(MAX_LABS)]
    assert all(ip_address(r.partition(":")[0]) in ip_network(insecure) for r in registries)
    assert ip_address("172.31.0.1") not in ip_network(insecure)


def test_names_are_forwarded_only_where_there_is_somebody_to_ask() -> None:
    assert "forward . /etc/resolv.conf" in configs.corefile(LAB, True)
    assert "forward" not in configs.corefile(LAB, False)


def test_supervisord_keeps_every_part_running() -> None:
    parts = programs.programs(LAB, BINARIES)
    conf = configparser.RawConfigParser(strict=True)
    conf.read_string(programs.supervisord_conf(LAB, parts, 1024))
    sections = {name.partition(":")[2] for name in conf.sections() if name.startswith("program:")}
    assert sections == {part.name for part in parts}
    assert {"etcd", "apiserver", "node1-kubelet", "node2-kubelet", "docker", "volumes"} <= sections
    assert all(conf[f"program:{name}"]["autorestart"] == "true" for name in sections)
    assert conf["unix_http_server"]["chmod"] == "0700"


def test_percent_signs_and_spaces_reach_the_program() -> None:
    text = programs.supervisord_conf(LAB, [programs.Program("x", ("/bin/echo", "50 %"), 1)], 1024)
    conf = configparser.RawConfigParser()
    conf.read_string(text)
    assert shlex.split(conf["program:x"]["command"] % {}) == ["/bin/echo", "50 %"]


def test_no_secret_is_on_a_command_line_and_nothing_listens_on_all_addresses() -> None:
    for part in programs.programs(LAB, BINARIES):
        line = " ".join(part.command)
        assert "PRIVATE KEY" not in line
        assert "0.0.0.0" not in line


def test_rules_are_found_again_by_their_comment_only() -> None:
    saved = (
        "*filter\n:FORWARD ACCEPT [0:0]\n"
        "-A FORWARD -i sb-demo -m comment --comment sdsk8s-lab-demo -j ACCEPT\n"
        '-A FORWARD -i sb-demo2 -m comment --comment "sdsk8s-lab-demo2" -j ACCEPT\n'
        "COMMIT\n*nat\n"
        '-A POSTROUTING -s 10.0.0.0/8 -m comment --comment "sdsk8s-lab-demo" -j MASQUERADE\nCOMMIT\n'
    )
    found = net.marked(saved, "sdsk8s-lab-demo")
    assert [(table, words[0]) for table, words in found] == [("filter", "FORWARD"), ("nat", "POSTROUTING")]
    assert "sdsk8s-lab-demo" in found[1][1]


def test_mounts_below_a_folder_deepest_first() -> None:
    text = "a /s/x ext4 rw 0 0\nb /s/x/y\\040z tmpfs rw 0 0\nc /sx tmpfs rw 0 0\n"
    assert mounts.below(text, Path("/s")) == [Path("/s/x/y z"), Path("/s/x")]


def test_cgroup_trees_of_both_versions() -> None:
    old = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    assert cgroups.parse_mounts(old) == [Path("/sys/fs/cgroup/cpu")]
    new = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    assert cgroups.parse_mounts(new) == [Path("/sys/fs/cgroup")]


def test_programs_and_version_come_from_go_mod() -> None:
    text = (tools.MODULE / "go.mod").read_text()
    assert {"kubelet", "kubectl", "coredns", "kube-apiserver"} <= set(tools.names(text))
    version = tools.kubernetes_version(text)
    assert version.startswith("v1.35.")
    assert f"gitVersion={version}" in tools.link_flags(version)
    assert tools.names("tool example.org/a/b\n") == ["b"]


@pytest.mark.parametrize(
    ("words", "version"), [("go version go1.26.1 linux/amd64", (1, 26)), ("go version devel", None)]
)
def test_go_version(words: str, version: tuple[int, int] | None) -> None:
    assert tools.go_version(words) == version


def pv(name: str, phase: str, path: str = "", **metadata: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"storageClassName": objects.STORAGE_CLASS, "local": {"path": path}}
    return {"metadata": {"name": name, **metadata}, "spec": spec, "status": {"phase": phase}}


def test_free_volumes_are_kept_at_hand() -> None:
    assert volumes.to_create([]) == list(range(1, 25))
    used = [pv(f"lab-{n:03d}", "Bound") for n in range(1, 25)]
    assert volumes.to_create(used) == list(range(25, 33))
    assert volumes.to_create([*used[1:], *(pv(f"lab-{n:03d}", "Available") for n in range(30, 38))]) == []


def test_only_own_released_volumes_are_emptied() -> None:
    folder = Path("/state/volumes")
    assert volumes.to_recycle(pv("lab-001", "Released", "/state/volumes/lab-001"), folder) == folder / "lab-001"
    assert volumes.to_recycle(pv("lab-001", "Bound", "/state/volumes/lab-001"), folder) is None
    assert volumes.to_recycle(pv("mine", "Released", "/home/me"), folder) is None
    assert volumes.to_recycle(pv("mine", "Released", "/state/volumes/../../home"), folder) is None
    assert volumes.to_recycle(pv("mine", "Released", "/state/volumes/.."), folder) is None
    gone = pv("lab-001", "Released", "/state/volumes/lab-001", deletionTimestamp="2026-01-01T00:00:00Z")
    assert volumes.to_recycle(gone, folder) is None


def test_certificates_are_kept_until_their_request_changes(tmp_path: Path) -> None:
    lab = Lab("demo", 3, 1, tmp_path)
    pki.ensure(lab)
    first = {file.name: file.read_bytes() for file in lab.pki.iterdir()}
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in lab.pki.iterdir() if f.suffix == ".key")
    assert stat.S_IMODE(lab.kubeconfig.stat().st_mode) == 0o600
    assert yaml.safe_load(lab.kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == lab.server
    pki.ensure(lab)
    assert {file.name: file.read_bytes() for file in lab.pki.iterdir()} == first

    pki.ensure(Lab("demo", 4, 1, tmp_path))
    cert = x509.load_pem_x509_certificate((lab.pki / "apiserver.crt").read_bytes())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "172.30.4.1" in [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert (lab.pki / "ca.crt").read_bytes() == first["ca.crt"]
    assert (lab.pki / "admin.crt").read_bytes() == first["admin.crt"]
