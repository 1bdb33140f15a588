"""Pages made of data are current, rows of the contract point to tests that exist, outputs are as their schemas say."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import as_published

from legacy_shim.main import run
from legacy_shim.table import children
from legacy_shim.verbs.help import entries
from sdsk8s.console.kubectl_script import kubectl_script
from sdsk8s.console.report import report_as_dict
from sdsk8s.errors import RefusedError
from sdsk8s.planner.describe import plan_as_dict
from sdsk8s.planner.steps import Apply, Build, Exec, Group, Plan, Scale, WaitReady
from sdsk8s.runner.journal import Journal, new_run_id
from sdsk8s.runner.run import run as run_plan

ROOT = Path(__file__).parent.parent.parent
CONTRACT: list[dict[str, Any]] = yaml.safe_load((ROOT / "tests/cases/contract.yaml").read_text())
SITE = ROOT / "examples" / "demo-site" / "sds"

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "sds"},
    "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry/web:1"}]}}},
}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"PASSWORD": "hunter2"}}
PLAN = Plan(
    "update",
    "web",
    "sds",
    Group(
        "update web",
        (
            Build("changed", "web", "registry/web:1"),
            Group("apply", (Apply("new", SECRET, "create"), Apply("new", DEPLOYMENT, "update")), parallel=True),
            Scale("asked", "Deployment", "web", 2, 0, record=2),
            WaitReady("serves", "Deployment", "web"),
            Exec("purge", "sdsk8s/component=web", "web", ("sh", "-c", "echo 'a  b'")),
        ),
    ),
    ("a note",),
)


# -- pages


def test_pages_are_those_of_the_data() -> None:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.pages().items():
        assert (ROOT / "docs" / name).read_text() == text, f"docs/{name} is old: python docs/generate.py"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_man_page_is_roff_without_complaints() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", str(ROOT / "docs/reference/sds.1")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr and "or the question was answered with no" in " ".join(done.stdout.split())


def test_no_two_verbs_have_the_same_help() -> None:
    verbs = children("")
    assert len({verb.help for verb in verbs.values()}) == len(verbs)
    assert len({e.new for e in entries() if e.new != "The same."}) >= 15


def test_help_of_a_verb_has_both_meanings_and_kubectl(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "stop"]) == 0
    out = capsys.readouterr().out
    assert "before" in out and "now" in out and "kubectl -n NS scale" in out
    assert run(["help", "cloud", "asg"]) == 0
    assert "cloud asg create" in capsys.readouterr().out
    assert run(["help", "stopp"]) == 2
    assert "stop" in capsys.readouterr().err


# -- the contract


def test_every_row_of_checklist_and_defects_is_there_once() -> None:
    want = [f"6.3.{n}" for n in range(1, 11)] + [f"6.1.{n}" for n in range(1, 30)]
    assert [row["row"] for row in CONTRACT] == want
    for row in CONTRACT:
        assert row["tests"], row


def test_every_test_that_a_row_names_exists() -> None:
    for name in {t for row in CONTRACT for t in row["tests"]}:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}
        assert names and (not function or function in names), name


# -- schemas


def test_a_plan_is_as_its_schema_says() -> None:
    body = json.loads(json.dumps(plan_as_dict(PLAN)))
    as_published("plan", body)
    del body["plan"]["children"][0]["by_hand"]
    with pytest.raises(jsonschema.ValidationError):
        as_published("plan", body)


def test_a_report_is_as_its_schema_says(tmp_path: Path) -> None:
    class Fails:
        def execute(self, step: Any, say: Any) -> str:
            if isinstance(step, Scale):
                raise RefusedError("no", target="web")
            return "done"

        def cancel(self) -> None: ...

    class Quiet:
        def begin(self, *a: Any) -> None: ...
        def line(self, *a: Any) -> None: ...
        def end(self, *a: Any) -> None: ...

    report = run_plan(PLAN, Fails(), Journal(tmp_path, new_run_id(), PLAN), Quiet())
    body = json.loads(json.dumps(report_as_dict(PLAN, report)))
    assert {s["state"] for s in body["steps"]} == {"done", "failed", "not tried"}
    as_published("report", body)
    as_published("runs", output(tmp_path, "runs", "ls"))
    assert {s["state"] for s in as_published("runs-show", output(tmp_path, "runs", "show", "last"))["steps"]} >= {
        "done"
    }


def output(home: Path, *argv: str) -> Any:
    """What `sdsk8s ... -o json` prints, without any cluster."""
    env = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "none")}
    done = subprocess.run(
        [sys.executable, "-c", "from sdsk8s.cli.main import main; main()", *argv, "-o", "json"],
        env=env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("verb", ["doctor", "components"])
def test_outputs_without_a_cluster_are_as_their_schemas_say(verb: str) -> None:
    as_published(verb, output(SITE, verb))


def test_every_schema_is_checked_against_an_output() -> None:
    used = "".join(p.read_text() for p in (ROOT / "tests").rglob("test_*.py"))
    for schema in (ROOT / "docs" / "reference" / "schemas").glob("*.json"):
        name = schema.name.removesuffix(".schema.json")
        assert f'as_published("{name}"' in used or name in ("doctor", "components", "files-diff", "files-upgrade"), name


def test_help_is_as_its_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "-o", "json"]) == 0
    as_published("help", json.loads(capsys.readouterr().out))


# -- --print-kubectl


def test_kubectl_script_reproduces_the_plan(tmp_path: Path) -> None:
    """Run by a real shell with a kubectl that notes its words and its input."""
    lines = kubectl_script(PLAN, {"registry/web:1": "sha256:abc"})
    notes = tmp_path / "notes"
    for name in ("kubectl", "sdsk8s"):
        tool = tmp_path / name
        tool.write_text(
            f'#!/bin/bash\necho "{name} $*" >> {notes}\n'
            '[ "$2 $3" = "sds get" ] || [ "${*: -1}" = "-o" ] || true\n'
            f'case "$*" in *"get pod"*) echo pod/web-1;; *"-f -"*) cat >> {notes}.in;; render*) echo "{{}}";; esac\n'
        )
        tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euo", "pipefail"], input="\n".join(lines), text=True, env=env, check=True)
    done = notes.read_text().splitlines()
    assert "kubectl -n sds apply --server-side --field-manager=sdsk8s --force-conflicts -f -" in done
    assert "sdsk8s render --only secret/keys --show-secrets -o json" in done
    assert "kubectl -n sds annotate --overwrite deployment/web sdsk8s/replicas=2" in done
    assert "kubectl -n sds scale deployment/web --replicas=0" in done
    assert "kubectl -n sds exec pod/web-1 -c web -- sh -c echo 'a  b'" in done
    given = json.loads((tmp_path / "notes.in").read_text().replace("{}", "", 1))
    assert given["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/web:1@sha256:abc"
    assert given["metadata"] == DEPLOYMENT["metadata"]
    assert "hunter2" not in "\n".join(lines)
