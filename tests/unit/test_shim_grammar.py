"""The legacy grammar against data: tests/cases/grammar.yaml. What follows a parsed line is recorded, not done."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import sdsk8s.cli.operate
import sdsk8s.cli.status
from legacy_shim.main import run
from sdsk8s.cli.options import Options
from sdsk8s.errors import Interrupted, PartialError, RefusedError

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent.parent / "cases" / "grammar.yaml").read_text())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """One line per call that the parsed command line leads to."""
    seen: list[str] = []

    def words(verb: str, target: str, options: Options, more: dict[str, bool]) -> str:
        flags = {"yes": options.yes, **more, "debug": options.debug, "dry-run": options.dry_run}
        return " ".join([verb, target, *(name for name, on in flags.items() if on)])

    def operate(
        verb: str,
        target: str,
        options: Options,
        *,
        flag: str,
        legacy: bool,
        config_only: bool = False,
        keep_dependencies: bool = False,
    ) -> int:
        assert (flag, legacy) == ("-f", True)
        seen.append(words(verb, target, options, {"config-only": config_only, "keep-dependencies": keep_dependencies}))
        return 0

    def show(target: str, options: Options, *, legacy: bool) -> int:
        assert legacy
        seen.append(words("status", target, options, {}))
        return 0

    monkeypatch.setattr(sdsk8s.cli.operate, "operate", operate)
    monkeypatch.setattr(sdsk8s.cli.status, "show", show)
    monkeypatch.setenv("SDS_HOME", str(tmp_path))
    return seen


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 120
    assert len({c["line"] for c in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[f"sds {c['line']}" for c in CASES])
def test_line(case: dict[str, Any], calls: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = run(shlex.split(case["line"]))
    out, err = capsys.readouterr()
    assert (code, calls) == (case["exit"], [case["does"]] if "does" in case else []), err
    if "out" in case:
        assert case["out"] in out and not err
    if "err" in case:
        assert case["err"] in err and not out
    if case["exit"] == 2:
        assert err.startswith("usage: sds") and ": error: " in err


@pytest.mark.parametrize(
    ("result", "code"),
    [(0, 0), (1, 1), (2, 2), (3, 1), (4, 1), (130, 1)],
)
def test_exit_codes_are_those_of_the_legacy_tool(
    result: int, code: int, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdsk8s.cli.operate, "operate", lambda *a, **kw: result)
    assert run(["start", "all", "-f"]) == code


@pytest.mark.parametrize("error", [RefusedError("no"), PartialError("some"), Interrupted("you"), KeyboardInterrupt()])
def test_errors_end_with_1(error: BaseException, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def operate(*a: Any, **kw: Any) -> int:
        raise error

    monkeypatch.setattr(sdsk8s.cli.operate, "operate", operate)
    assert run(["start", "all", "-f"]) == 1


def test_a_site_may_bring_components_of_its_own(
    calls: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "catalogue" / "pele"
    own.mkdir(parents=True)
    (own / "component.yaml").write_text("name: pele\norder: 35\nverbs: [start]\n")
    (tmp_path / "site.yaml").write_text(f"manifests: [{tmp_path}/catalogue]\n")
    assert run(["start", "pele"]) == 0 and calls == ["start pele"]
    assert run(["start", "-h"]) == 0
    assert "{grq,mozart,metrics,pele,factotum,all}" in capsys.readouterr().out
    assert run(["stop", "pele"]) == 2
