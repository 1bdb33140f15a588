"""Addresses, names and indices of labs."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest

from sdsk8s.errors import RefusedError, UsageError
from sdsk8s.lab import plan
from sdsk8s.lab.plan import Lab


def make(name: str = "default", index: int = 0, nodes: int = 2) -> Lab:
    return Lab(name, index, nodes, Path("/state"))


def test_the_first_lab_has_the_documented_addresses() -> None:
    lab = make()
    assert (lab.address, lab.pods, lab.services) == ("172.30.0.1", "10.244.0.0/16", "10.96.0.0/16")
    assert (lab.server, lab.registry) == ("https://172.30.0.1:6443", "172.30.0.1:5000")
    assert [(n.address, n.pods) for n in lab.nodes] == [
        ("172.30.0.11", "10.244.1.0/24"),
        ("172.30.0.12", "10.244.2.0/24"),
    ]


def test_no_two_labs_share_an_address() -> None:
    for one, other in combinations(range(plan.MAX_LABS), 2):
        assert not any(a.overlaps(b) for a in plan.ranges(one) for b in plan.ranges(other))


@pytest.mark.parametrize("name", ["a", "default", "abcdefghij"])
def test_device_names_fit_into_15_characters(name: str) -> None:
    lab = make(name, nodes=9)
    assert all(len(device) <= 15 for device in (lab.bridge, *(node.veth for node in lab.nodes)))
    assert plan.check_name(name) == name


@pytest.mark.parametrize("name", ["", "Big", "a-b", "0a", "abcdefghijk", "../x", "a b"])
def test_names_that_devices_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        plan.check_name(name)


@pytest.mark.parametrize("count", [0, -1, 10])
def test_node_counts_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(UsageError):
        plan.check_nodes(count)


def test_allot_keeps_fixed_places_and_avoids_taken_and_busy_ones() -> None:
    assert plan.allot("default", [], lambda i: False) == 0
    assert plan.allot("test", [0], lambda i: False) == 1
    assert plan.allot("test2", [0, 1], lambda i: False) == 2
    assert plan.allot("other", [], lambda i: False) == 3
    assert plan.allot("other", [2, 3], lambda i: i == 4) == 5
    assert plan.allot("default", [], lambda i: i == 0) == 3
    with pytest.raises(RefusedError):
        plan.allot("other", range(10), lambda i: False)


def test_routes_that_meet_a_lab() -> None:
    routes = [IPv4Network("0.0.0.0/0"), IPv4Network("192.168.0.0/24"), IPv4Network("172.30.0.0/16")]
    assert plan.overlapping(0, routes) == [IPv4Network("172.30.0.0/16")]
    assert plan.overlapping(0, routes[:2]) == []


def test_two_nodes_where_they_fit() -> None:
    assert plan.default_nodes(4000, 2) == 2
    assert plan.default_nodes(2000, 2) == 1
    assert plan.default_nodes(4000, 1) == 1
