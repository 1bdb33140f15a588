"""Every package that the code imports is declared in setup.py: nothing works only because another package brings it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = {"sdsk8s", "legacy_shim"}
# A site's Fabric file and the legacy tool's driver: each runs in an environment of its own.
ELSEWHERE = ("tests/cases/", "tests/legacy/legacy_driver.py")


def declared() -> tuple[set[str], set[str]]:
    """(what an installation brings, what the extras bring beside it), as names without versions."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "setup")
    needed = {k.arg: names(k.value) for k in call.keywords if k.arg in ("install_requires", "extras_require")}
    return needed["install_requires"], needed["extras_require"]


def names(node: ast.AST) -> set[str]:
    words = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return {re.split("[<>=!~\\[; ]", word)[0].lower() for word in words}


def imported(*folders: str) -> Iterator[tuple[str, str]]:
    """(top-level package, file) of every import of another package, wherever in a file it stands."""
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    near = {file.stem for file in files}
    for file in files:
        if str(file.relative_to(ROOT)).startswith(ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            for module in modules:
                top = module.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in OWN | near:
                    yield top, str(file.relative_to(ROOT))


def missing(known: set[str], *folders: str) -> list[str]:
    """ "package (file)" of what is imported from these folders and stands in no list."""
    where = packages_distributions()
    return sorted(
        f"{package} ({file})"
        for package, file in imported(*folders)
        if not {name.lower() for name in where.get(package, [package])} & known
    )


def test_what_the_product_imports_is_installed_with_it() -> None:
    assert missing(declared()[0], "sdsk8s", "legacy_shim") == []


def test_what_tests_benchmarks_and_docs_import_is_declared_too() -> None:
    assert missing(set().union(*declared()), "tests", "benchmarks", "docs") == []


def test_an_import_that_is_not_declared_is_found() -> None:
    needed, _ = declared()
    found = missing(needed - {"requests", "pyyaml"}, "sdsk8s")
    assert "requests (sdsk8s/backends/docker/engine.py)" in found and any(line.startswith("yaml (") for line in found)
