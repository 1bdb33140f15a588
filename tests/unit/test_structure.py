"""How the files depend on each other: no circle, and few imports inside functions."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(f for room in ("sdsk8s", "legacy_shim") for f in (ROOT / room).rglob("*.py"))


def test_no_file_imports_itself_over_others() -> None:
    """Imports for type checks alone do not count: they are not there when the program runs."""
    graph = grimp.build_graph("sdsk8s", "legacy_shim", exclude_type_checking_imports=True, cache_dir=None)
    found = {m: graph.find_modules_directly_imported_by(m) - {m} for m in graph.modules}
    assert len(found) > 250
    try:
        TopologicalSorter(found).prepare()
    except CycleError as err:
        pytest.fail(" -> ".join(err.args[1]))


def inside_functions(file: Path) -> set[int]:
    functions = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.FunctionDef)]
    return {s.lineno for f in functions for s in ast.walk(f) if isinstance(s, ast.Import | ast.ImportFrom)}


def test_few_imports_stand_inside_functions() -> None:
    """Each hides a dependency; those that are left keep a large library out of what does not need it."""
    found = {str(f.relative_to(ROOT)): len(inside_functions(f)) for f in FILES}
    assert sum(found.values()) < 40, {name: n for name, n in found.items() if n}
