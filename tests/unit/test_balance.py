"""The plan of the suite: no two processes share a demo system, and no module is forgotten or named twice."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from balance import GROUPS, WITHOUT_A_LAB, group_of, lab_of, ordered

TESTS = Path(__file__).resolve().parents[1]
MODULES = {str(f.relative_to(TESTS).with_suffix("")): f for f in TESTS.rglob("test_*.py")}


def asked(file: Path) -> set[str]:
    """Names of all fixtures that a module asks for, and those that it gets while it runs."""
    functions = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.FunctionDef)]
    return {argument.arg for function in functions for argument in function.args.args}


def test_every_module_of_the_plan_is_there_and_stands_in_it_once() -> None:
    named = [module for group in GROUPS for module in group.modules]
    assert set(named) <= set(MODULES) and len(named) == len(set(named))
    assert {m.partition("/")[0] for m in MODULES} == {*WITHOUT_A_LAB, "cluster", "lab", "real"}


def test_a_module_with_the_demo_system_is_in_one_of_the_two_groups_that_have_one() -> None:
    with_system = {module for module, file in MODULES.items() if {"system", "bare_system"} & asked(file)}
    assert len(with_system) > 10
    assert {group_of(f"tests/{module}.py::test_x") for module in with_system} == {"system", "system2"}
    assert {group.name: group.lab for group in GROUPS if group.lab} == {"system2": "2"}


def test_a_lab_that_is_not_the_first_belongs_to_one_group() -> None:
    labs = [group.lab for group in GROUPS if group.lab]
    assert len(labs) == len(set(labs))
    assert (
        lab_of("tests/cluster/test_update.py::test_x") == "2" and lab_of("tests/cluster/test_images.py::test_x") == ""
    )


def test_folders_without_a_lab_have_none() -> None:
    wanting = {m for m, file in MODULES.items() if m.startswith(WITHOUT_A_LAB) and "lab" in asked(file)}
    assert wanting == set()


class Item:
    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def test_long_groups_begin_first_and_cases_of_a_module_keep_their_order() -> None:
    ids = [
        "unit/test_a.py::b",
        "unit/test_a.py::a",
        "cluster/test_images.py::a",
        "cluster/test_update.py::a",
        "cluster/test_backend.py::z",
        "cluster/test_backend.py::y",
        "cluster/test_verbs.py::a",
    ]
    found = [item.nodeid for item in ordered(Item(f"tests/{i}") for i in ids)]
    assert found == [f"tests/{ids[n]}" for n in (6, 4, 5, 3, 0, 1, 2)]


@pytest.mark.parametrize(
    "nodeid", ["tests/unit/test_lint.py::test_case[latest.yaml]", "tests/unit/test_lint.py::test_x"]
)
def test_another_module_is_a_group_by_itself(nodeid: str) -> None:
    assert group_of(nodeid) == "unit/test_lint"
