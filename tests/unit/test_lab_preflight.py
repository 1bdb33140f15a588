"""The table that `lab up` shows before it touches anything."""

from __future__ import annotations

import socket
from pathlib import Path

from sdsk8s.lab import preflight
from sdsk8s.lab.preflight import Check


def test_each_line_says_what_is_missing() -> None:
    assert preflight.check_root(0).state == "ok"
    assert preflight.check_root(1000).state == "missing"
    assert preflight.check_memory(600, 2) == Check(
        "memory", "missing", "600 MiB available, 1400 MiB needed for 2 nodes; try --nodes 1"
    )
    assert preflight.check_memory(4000, 2).state == "ok"
    assert preflight.check_disk("disk", 10, 5000, Path("/x")).state == "missing"
    assert preflight.check_packages([], True).state == "ok"
    assert preflight.check_packages(["runc"], True).words == "apt-get install runc (services not started)"
    assert preflight.check_packages(["runc"], False).state == "missing"


def test_tools_name_the_go_that_would_build_them() -> None:
    assert preflight.check_tools([], lambda: None).state == "ok"
    assert "/usr/bin/go" in preflight.check_tools(["kubelet"], lambda: "/usr/bin/go").words
    assert "PyPI" in preflight.check_tools(["kubelet"], lambda: None).words


def test_kernel_without_cgroups_is_refused() -> None:
    filesystems = "nodev\tcgroup2\nnodev\toverlay\n"
    mounts = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    good = preflight.check_kernel(filesystems, mounts)
    assert good.state == "ok" and good.words.endswith("cgroup v2")
    assert preflight.check_kernel(filesystems, "").words == "mounted cgroups"


def test_a_listener_on_all_addresses_takes_the_port() -> None:
    with socket.socket() as wild:
        wild.bind(("0.0.0.0", 0))
        wild.listen()
        port = wild.getsockname()[1]
        assert preflight.port_taken("172.30.250.1", port, socket.SOCK_STREAM)
    assert not preflight.port_taken("172.30.250.1", port, socket.SOCK_STREAM)


def test_memory_in_the_words_of_the_kernel() -> None:
    assert preflight.available_memory("MemTotal: 4096 kB\nMemAvailable:    2048 kB\n") == 2
    assert preflight.available_memory("") == 0


def test_table_is_aligned_and_failures_are_found() -> None:
    lines = [Check("root", "ok", ""), Check("packages", "missing", "runc")]
    assert preflight.table(lines) == "  root      ok\n  packages  missing  runc"
    assert preflight.failed(lines) == lines[1:]
