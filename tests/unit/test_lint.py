"""Every seeded defect of tests/cases/lint is found, nothing else is, and what this project ships is clean."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from conftest import as_published

from sdsk8s.cli.lint import lint
from sdsk8s.lint.references import unresolved

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/cases/lint"
SOUND = list(yaml.safe_load_all((FOLDER / "sound.yaml").read_text()))
# Cases that are files of their own, and those that are changes to the sound one.
FILES = {path.name: path for path in sorted(FOLDER.iterdir()) if path.name != "cases.yaml"}
CHANGES: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "cases.yaml").read_text())


def merged(old: Any, change: Any) -> Any:
    """The object with the change of a case in it, as the head of cases.yaml says."""
    if not isinstance(change, dict):
        return change
    if isinstance(old, list):
        unknown = set(change) - {item["name"] for item in old}
        assert not unknown, f"the case changes {unknown}, which sound.yaml does not have"
        return [merged(item, change.get(item["name"], {})) for item in old]
    base = old if isinstance(old, dict) else {}
    both = {key: merged(base.get(key), value) for key, value in change.items() if value is not None}
    return {key: value for key, value in base.items() if key not in change} | both


def changed(case: dict[str, Any]) -> list[Any]:
    """The objects of sound.yaml as the case has them."""
    objects = {f"{o['kind']}/{o['metadata']['name']}": o for o in SOUND}
    more = [merged(objects.get(new.pop("like", ""), {}), new) for new in copy.deepcopy(case.get("add", []))]
    changes = case.get("change", {})
    assert set(changes) <= set(objects) and (changes or more)
    return [merged(o, changes.get(name, {})) for name, o in objects.items()] + more


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
    assert len(FILES) + len(CHANGES) >= 35 and not set(FILES) & set(CHANGES)


@pytest.mark.parametrize("name", sorted([*FILES, *CHANGES]))
def test_case(name: str, tmp_path: Path) -> None:
    path = FILES.get(name, tmp_path / name)
    if name in CHANGES:
        path.write_text(yaml.safe_dump_all(changed(CHANGES[name])))
    finds = sorted(CHANGES[name].get("finds", [])) if name in CHANGES else wanted(path)
    assert [line.replace(str(path), "") for line in found(path)] == finds


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
    assert [m.words for m in unresolved([obj])] == ["it reads Secret/s, which does not exist"]
    assert unresolved([obj], [bare]) == []
    assert [m.words for m in unresolved([obj], [{**bare, "data": {"x": ""}}])] == [
        "it reads the key k of Secret/s, but the object does not have this key"
    ]
