"""Every seeded defect of tests/cases/lint is found, nothing else is, and what this project ships is clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import as_published

from sdsk8s.cli.lint import lint
from sdsk8s.lint.references import unresolved

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests/cases/lint").iterdir())


def wanted(path: Path) -> list[str]:
    """The `# finds: RULE TARGET` lines of a case."""
    return sorted(
        line.removeprefix("# finds: ") for line in path.read_text().splitlines() if line.startswith("# finds")
    )


def found(*paths: Path) -> list[str]:
    done = CliRunner().invoke(lint, [*map(str, paths), "-o", "json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    answer = as_published("lint", json.loads(done.stdout))
    assert answer["notes"] == [] and done.exit_code == (1 if answer["findings"] else 0)
    return sorted(f"{f['rule']} {f['target']}" for f in answer["findings"])


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.name)
def test_case(path: Path) -> None:
    assert [line.replace(str(path), "") for line in found(path)] == wanted(path)


def test_what_we_ship_is_clean() -> None:
    assert found(ROOT / "manifests", ROOT / "dockerfiles") == []


def test_a_path_with_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("- 1\n")
    for path in ("/nonexistent/x", str(tmp_path), str(tmp_path / "values.yaml")):
        done = CliRunner().invoke(lint, [path])
        assert "nothing to check" in str(done.exception), done.output


def test_keys_of_an_object_known_by_its_metadata_are_not_guessed() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    pod = {"containers": [{"name": "c", "env": [{"name": "A", "valueFrom": source}]}]}
    obj = {"kind": "Pod", "metadata": {"name": "p"}, "spec": pod}
    bare = {"kind": "Secret", "metadata": {"name": "s"}}
    assert [m.words for m in unresolved([obj])] == ["it reads Secret/s, which is not there"]
    assert unresolved([obj], [bare]) == []
    assert [m.words for m in unresolved([obj], [{**bare, "data": {"x": ""}}])] == [
        "it reads the key k of Secret/s, which has no such key"
    ]
