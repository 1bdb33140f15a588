"""`SDSK8S_LEGACY_SDS=.../bin/sds python tests/legacy/compare.py`: the grammar table through both tools."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
CASES = HERE.parent / "cases"
NAMES = {
    "force": "yes",
    "cmd": "command",
    "skip_include_dependency_images": "skip",
    "subparser": "",
    "subparser2": "",
    "type": "",
}
"""Legacy names of values that are called otherwise here; "" are those that are no value of the verb."""


@dataclass(frozen=True)
class Difference:
    line: str
    ours: str
    legacy: str
    reason: str = ""


@dataclass
class Result:
    """compared: lines; understood: of them, those whose parsed values were compared as well."""

    compared: int = 0
    understood: int = 0
    differing: list[Difference] = field(default_factory=list)
    documented: list[Difference] = field(default_factory=list)
    marked_in_error: list[str] = field(default_factory=list)


def reasons() -> dict[str, str]:
    """Key of each documented difference of the grammar and its sentence."""
    found: dict[str, str] = yaml.safe_load((CASES / "differences.yaml").read_text())
    return found


def cases() -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = ("grammar.yaml", "grammar_generated.yaml")
    return [case for name in files for case in yaml.load((CASES / name).read_text(), loader)]


def compare(legacy_sds: Path, home: Path) -> Result:
    """Both tools on every line, with an empty home and nothing on stdin."""
    table = cases()
    lines = [shlex.split(case["line"]) for case in table]
    result = Result()
    for case, theirs, ours in zip(table, legacy(legacy_sds, lines, home), here(lines, home), strict=True):
        mine, other = shown(ours), shown(theirs)
        if "does" in case and theirs["parsed"] is not None:
            result.understood += 1
            mine, other = f"{mine}; {plain(case['does'])}", f"{other}; {plain(understood(theirs['parsed'], case))}"
        result.compared += 1
        if "differs" in case:
            if mine == other:
                result.marked_in_error.append(case["line"])
            result.documented.append(Difference(case["line"], mine, other, case["differs"]))
        elif mine != other:
            kind = "detected-errors" if swallowed(case, theirs, ours) else ""
            difference = Difference(case["line"], mine, other, kind)
            (result.documented if kind else result.differing).append(difference)
    return result


def swallowed(case: dict[str, Any], theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Both understood the line; the verb failed, and only ours says so."""
    return "does" in case and theirs["parsed"] is not None and theirs["exit"] == 0 and ours["exit"] == 1


def shown(answer: dict[str, Any]) -> str:
    streams = [name for name in ("out", "err") if answer[name]]
    return f"exit {answer['exit']}, {'+'.join(streams) or 'silent'}"


def understood(parsed: dict[str, Any], case: dict[str, Any]) -> str:
    """The legacy namespace in the words of the table."""
    verb = [w for w in shlex.split(case["does"]) if "=" not in w]
    values = {NAMES.get(k, k): v for k, v in parsed.items() if v not in (None, False) and NAMES.get(k, k)}
    texts = [f"{k}=[{'|'.join(v)}]" if isinstance(v, list) else f"{k}={v}" for k, v in values.items() if v is not True]
    flags = [k for k, v in values.items() if v is True]
    path = [w for w in verb if w not in flags and w in case["line"].split()]
    return " ".join([*path, *texts, *flags])


def plain(effect: str) -> str:
    return " ".join(sorted(effect.split()))


def legacy(sds: Path, lines: list[list[str]], home: Path) -> list[dict[str, Any]]:
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "80"}
    done = subprocess.run(
        [sds.parent / "python", HERE / "legacy_driver.py"],
        input=json.dumps(lines),
        env=env,
        capture_output=True,
        text=True,
        check=True,
        cwd=home,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def here(lines: list[list[str]], home: Path) -> list[dict[str, Any]]:
    """Ours in this process: the same situation, an empty home and no terminal."""
    from legacy_shim.main import run

    before = dict(os.environ), sys.stdin
    os.environ |= {"HOME": str(home), "SDS_HOME": str(home / ".sds"), "KUBECONFIG": str(home / "none")}
    answers = []
    try:
        for argv in lines:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), open(os.devnull) as nothing:
                sys.stdin = nothing
                code = run(argv)
            answers.append({"exit": code, "out": bool(out.getvalue()), "err": bool(err.getvalue())})
    finally:
        os.environ.clear()
        os.environ |= before[0]
        sys.stdin = before[1]
    return answers


def main() -> int:
    sds = os.environ.get("SDSK8S_LEGACY_SDS")
    if not sds:
        sys.exit("SDSK8S_LEGACY_SDS must name the legacy tool's sds, in an environment of its own")
    with tempfile.TemporaryDirectory() as home:
        result = compare(Path(sds), Path(home))
    same = result.compared - len(result.documented) - len(result.differing)
    print(f"{result.compared} lines: {same} the same; of {result.understood} the parsed values were compared as well")
    for reason, count in Counter(d.reason for d in result.documented).most_common():
        print(f"{count:>5} differ as documented: {reason}: {reasons()[reason]}")
    for d in result.differing:
        print(f"DIFFERS sds {d.line}\n   ours   {d.ours}\n   legacy {d.legacy}")
    return 1 if result.differing else 0


if __name__ == "__main__":
    sys.exit(main())
