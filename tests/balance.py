"""Which cases share a process and a lab, and in which order groups begin: what `make test` runs at the same time.

A group is one process's work from begin to end: its cases may change what they share. The two groups with a whole demo
system come first, because they take the longest; each has a lab of its own. Other modules are groups of one module.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Group:
    """lab: what is added to the name of the first lab; modules: in the order in which they run."""

    name: str
    modules: tuple[str, ...]
    lab: str = ""


GROUPS = (
    Group(
        "system",
        (
            "cluster/test_orch",
            "cluster/test_prune",
            "cluster/test_rendered",
            "cluster/test_search_verbs",
            "cluster/test_verbs",
            "cluster/test_workers",
            "cluster/test_workers_ship",
            "ship/test_ship_command_to_s3",
        ),
    ),
    # The first modules need a cluster and no images: meanwhile the group above builds those of the system.
    Group(
        "system2",
        (
            "cluster/test_bad_input",
            "cluster/test_backend",
            "cluster/test_queue_scaling",
            "cluster/test_reading",
            "cluster/test_fab",
            "cluster/test_faults",
            "cluster/test_indexer",
            "cluster/test_revisions",
            "cluster/test_update",
        ),
        lab="2",
    ),
    # What is left on the machine afterwards is looked at: nothing else may make mounts and groups in the same time.
    Group("machine", ("lab/test_lab_lifecycle", "cluster/test_podman")),
    Group("payloads", ("ship/test_package_payloads",)),
)
# Folders whose modules need no cluster: they begin before those that share the first lab, while that one comes up.
WITHOUT_A_LAB = ("aws", "boundary", "completion", "legacy", "packaging", "ship", "ssh", "unit")


def module_of(nodeid: str) -> str:
    """`cluster/test_verbs` of `tests/cluster/test_verbs.py::test_x`."""
    return nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")


def group_of(nodeid: str) -> str:
    """The name of the group; a module that stands in none is one by itself."""
    module = module_of(nodeid)
    return next((g.name for g in GROUPS if module in g.modules), module)


def lab_of(nodeid: str) -> str:
    """What the name of the lab of a case ends with."""
    module = module_of(nodeid)
    return next((g.lab for g in GROUPS if module in g.modules), "")


def rank(nodeid: str) -> tuple[int, int, str]:
    """Sorts cases into the order of their groups; those of one module keep their order."""
    module = module_of(nodeid)
    for number, group in enumerate(GROUPS):
        if module in group.modules:
            return number, group.modules.index(module), ""
    folder = module.partition("/")[0]
    return len(GROUPS), 0 if folder in WITHOUT_A_LAB else 1, module


def ordered(items: Iterable[Any]) -> list[Any]:
    """The collected cases in the order in which their groups begin."""
    return sorted(items, key=lambda item: rank(item.nodeid))
