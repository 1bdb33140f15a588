"""The legacy grammar against data: tests/cases/grammar*.yaml. What follows a parsed line is recorded, not done."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import legacy_shim.dispatch
import legacy_shim.verbs.operate
from legacy_shim.console import LegacyConsole
from legacy_shim.grammar import Verb
from legacy_shim.main import run
from legacy_shim.table import TABLE, children
from sdsk8s.errors import Interrupted, PartialError, RefusedError
from sdsk8s.planner.steps import Group, Plan, Scale
from sdsk8s.verbs.conduct import Planned
from sdsk8s.verbs.options import TWINS, Options, from_environment

FOLDER = Path(__file__).parent.parent / "cases"
CASES: list[dict[str, Any]] = [
    case
    for name in ("grammar.yaml", "grammar_generated.yaml")
    for case in yaml.load((FOLDER / name).read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """One line per verb that a command line leads to; no verb does anything."""
    monkeypatch.setenv("SDS_HOME", str(tmp_path))
    return record(monkeypatch)


def record(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def load(verb: Verb) -> Callable[..., int]:
        def call(options: Options, **values: Any) -> int:
            seen.append(effect(next(path for path in PATHS if TABLE[path] is verb), options, values))
            return 0

        return call

    monkeypatch.setattr(legacy_shim.dispatch, "load", load)
    return seen


VERBS = children("")
PATHS = [path for path, entry in TABLE.items() if isinstance(entry, Verb)]
"""The whole words of every verb that does something."""


def effect(path: str, options: Options, values: dict[str, Any]) -> str:
    """Verb, name=value in alphabetical order, names of the flags that are on."""
    shown = {k: f"[{'|'.join(v)}]" if isinstance(v, (list, tuple)) else v for k, v in values.items()}
    on = {"yes": options.yes, "debug": options.debug, "dry_run": options.dry_run, **shown}
    texts = [f"{k}={v}" for k, v in sorted(shown.items()) if isinstance(v, str)]
    return " ".join([path, *texts, *sorted(k for k, v in on.items() if v is True)])


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 400
    lines = [c["line"] for c in CASES]
    assert not {c["line"] for c in CASES[:10]} - set(lines)


def test_the_generated_cases_are_those_of_the_facts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import generate; print(generate.text(), end='')"],
        cwd=FOLDER.parent / "legacy",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (FOLDER / "grammar_generated.yaml").read_text() == done.stdout, "run tests/legacy/generate.py"


def test_every_verb_of_the_tree_has_cases() -> None:
    for path in PATHS:
        assert any(c["line"].startswith(path) or c.get("does", "").startswith(path) for c in CASES), path


def first_word(case: dict[str, Any]) -> str:
    words = [w for w in shlex.split(case["line"]) if not w.startswith("-")]
    return words[0] if words and words[0] in VERBS else "(none)"


@pytest.mark.parametrize("verb", ["(none)", *VERBS])
def test_lines(verb: str, calls: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of the table that begins with the verb: exit code, what is called, and which stream speaks."""
    wrong = []
    for case in (c for c in CASES if first_word(c) == verb):
        calls.clear()
        code = run(shlex.split(case["line"]))
        out, err = capsys.readouterr()
        stream = case.get("stream") or ("out" if "out" in case else "err" if "err" in case else "none")
        if (code, calls) != (case["exit"], [case["does"]] if "does" in case else []):
            wrong.append(f"sds {case['line']}: exit {code}, {calls}: {err}")
        elif (bool(out), bool(err)) != (stream == "out", stream == "err"):
            wrong.append(f"sds {case['line']}: speaks on the wrong stream: {out}{err}")
        elif case.get("out", "") not in out or case.get("err", "") not in err:
            wrong.append(f"sds {case['line']}: says {out}{err}")
        elif code == 2 and not (err.startswith("usage: sds") and ": error: " in err):
            wrong.append(f"sds {case['line']}: no usage line: {err}")
    assert not wrong, "\n".join(wrong)


def test_the_function_of_every_verb_exists_and_takes_what_its_grammar_gives(calls: list[str]) -> None:
    for path in PATHS:
        verb = TABLE[path]
        assert isinstance(verb, Verb)
        module, _, function = verb.where.partition(":")
        takes = inspect.signature(getattr(importlib.import_module(f"legacy_shim.{module}"), function)).parameters
        above = [TABLE[" ".join(path.split()[:n])] for n in range(1, len(path.split()))]
        gives = {a.settings.get("dest", a.names[0]) for entry in [*above, verb] for a in entry.arguments}
        if any(kind.kind is kind.VAR_KEYWORD for kind in takes.values()):
            continue
        assert gives - {"kind", "force"} == takes.keys() - {"options"}, path


@pytest.mark.parametrize(
    ("name", "message"), [("SDS_DRY_RUN", "does not support a dry run"), ("SDS_TIMEOUT", "SDS_TIMEOUT")]
)
def test_a_variable_that_cannot_be_honoured_is_refused(
    name: str, message: str, calls: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "true")
    assert run(["pkg", "rm", "ID"]) != 0 and not calls
    assert message in capsys.readouterr().err


def test_variables_are_twins_of_options(monkeypatch: pytest.MonkeyPatch) -> None:
    env = {"SDS_NAMESPACE": "two", "SDS_YES": "1", "SDS_TIMEOUT": "12.5", "SDS_OUTPUT": "json", "SDS_DEBUG": "false"}
    assert from_environment(env, output="text") == Options(namespace="two", yes=True, timeout=12.5, output="text")
    assert {f.name for f in dataclasses.fields(Options)} == set(TWINS)


@pytest.mark.parametrize(
    ("result", "code"),
    [(0, 0), (1, 1), (2, 2), (3, 1), (4, 1), (130, 1)],
)
def test_exit_codes_are_those_of_the_legacy_tool(result: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legacy_shim.verbs.operate, "legacy_session", lambda options: None)
    monkeypatch.setattr(legacy_shim.verbs.operate.start_verb, "run", lambda *a: result)
    assert run(["start", "all", "-f"]) == code


@pytest.mark.parametrize("error", [RefusedError("no"), PartialError("some"), Interrupted("you"), KeyboardInterrupt()])
def test_errors_end_with_1(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def operate(*a: Any, **kw: Any) -> int:
        raise error

    monkeypatch.setattr(legacy_shim.verbs.operate, "legacy_session", lambda options: None)
    monkeypatch.setattr(legacy_shim.verbs.operate.start_verb, "run", operate)
    assert run(["start", "all", "-f"]) == 1


def test_a_declined_prompt_ends_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan("stop", "mozart", "sds", Group("", (Scale("asked", "Deployment", "web", 1, 0, record=1),)), ())
    (tmp_path / "config").write_text("MOZART_PVT_IP: 127.0.0.1\n")
    monkeypatch.setenv("SDS_HOME", str(tmp_path))
    monkeypatch.setattr(LegacyConsole, "need_terminal", lambda *a: None)
    monkeypatch.setattr(legacy_shim.verbs.operate.stop_verb, "plan", lambda *a: Planned(plan))
    monkeypatch.setattr(LegacyConsole, "confirm", lambda *a: False)
    assert run(["stop", "mozart"]) == 0
    assert "nothing was changed" in capsys.readouterr().err


def test_a_site_may_bring_components_of_its_own(
    calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "catalogue" / "pele"
    own.mkdir(parents=True)
    (own / "component.yaml").write_text("name: pele\norder: 35\nverbs: [start]\n")
    (tmp_path / "site.yaml").write_text(f"manifests: [{tmp_path}/catalogue]\n")
    assert run(["start", "pele"]) == 0 and calls == ["start component=pele"]
    assert run(["start", "-h"]) == 0
    assert "{grq,mozart,metrics,pele,factotum,all}" in capsys.readouterr().out
    assert run(["stop", "pele"]) == 2


def test_a_component_that_a_site_extends_keeps_its_verbs(
    calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changes say nothing of verbs or order; their folder is named as site.yaml names it: beside itself."""
    for name, text in (("grq", "images: {grq: {budget: 500}}\n"), ("factotum", "verbs: [stop]\n")):
        own = tmp_path / "manifests" / name
        own.mkdir(parents=True)
        (own / "component.yaml").write_text(f"name: {name}\nextends: true\n{text}")
    (tmp_path / "site.yaml").write_text("manifests: [manifests]\n")
    assert run(["update", "grq"]) == 0 and calls == ["update component=grq"]
    assert run(["start", "-h"]) == 0
    assert "{grq,mozart,metrics,all}" in capsys.readouterr().out
