"""`sds fab` without hosts: loading legacy files, task arguments, contexts, and a verdict for everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from legacy_shim.fab.state import env, settings
from legacy_shim.fab.tasks import parse
from sdsk8s.migrate.fabric_verdicts import as_markdown, is_activation, table

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
LEGACY = yaml.safe_load((ROOT / "tests" / "cases" / "fabric.yaml").read_text())


def fab(home: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "none"), **more}
    return subprocess.run(
        [str(BIN / "sds"), "fab", *argv], env=variables, capture_output=True, text=True, check=False, timeout=60,
        stdin=subprocess.DEVNULL, cwd=home,
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").write_text("MOZART_PVT_IP: 10.0.0.1\nVENUE: test\nLDAP_GROUPS:\n")
    return tmp_path


@pytest.mark.parametrize("kind", ["primitives", "tasks"])
def test_every_name_of_the_legacy_world_has_a_verdict(kind: str) -> None:
    missing = set(LEGACY[kind]) - set(table()[kind])
    assert not missing


def test_every_refused_task_says_what_to_do_instead(home: Path) -> None:
    (home / "cluster.py").write_text("from sdscli.adapters.hysds.fabfile import *\n")
    refused = [v for v in table()["tasks"].values() if v.verdict == "refused"]
    assert len(refused) > 40
    for verdict in refused[:: max(1, len(refused) // 6)]:
        done = fab(home, verdict.name)
        assert done.returncode == 1 and verdict.now in done.stderr, verdict.name


def test_all_tasks_of_the_legacy_module_are_listed(home: Path) -> None:
    (home / "cluster.py").write_text("from sdscli.adapters.hysds.fabfile import *\n")
    done = fab(home, "-l")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert set(LEGACY["tasks"]) <= listed


def test_the_sample_file_of_the_legacy_tool_runs(home: Path) -> None:
    (home / "cluster.py").write_text(
        "from __future__ import print_function\n"
        "from future import standard_library\nstandard_library.install_aliases()\n"
        "from sdscli.adapters.hysds.fabfile import *\n\n"
        "def hello(who, times='1'):\n    local('echo hello %s %s' % (who, times))\n    puts(context['VENUE'])\n"
    )
    done = fab(home, r"hello:a\,b,times=3")
    assert done.returncode == 0, done.stderr
    assert "hello a,b 3" in done.stdout and done.stdout.endswith("test\n")


def test_new_style_tasks_hide_the_others(home: Path) -> None:
    (home / "fabfile.py").write_text(
        "from fabric.api import task, execute, settings, env, runs_once\n"
        "from fabric.tasks import Task\n"
        "@task(alias='d')\ndef deploy():\n    execute(inner, 4)\n"
        "def inner(n):\n    print('inner', n, env.get('host_string'))\n"
        "def helper():\n    pass\n"
    )
    listed = fab(home, "-l").stdout.split()
    assert "d" in listed and "helper" not in listed
    assert "inner 4 None" in fab(home, "d").stdout


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("print 'x'\n", "not valid Python 3", ":1"),
        ("import os\nimport nowhere_to_be_found\n", "ModuleNotFoundError", ":2"),
        ("from fabric.api import run\nfrom fabric.api import runn\n", "cannot import name", ":2"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_with_its_line(home: Path, text: str, says: str, line: str) -> None:
    (home / "cluster.py").write_text(text)
    done = fab(home, "-l")
    assert done.returncode == 1 and says in done.stderr and f"cluster.py{line}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_fault_inside_a_task_is_named_with_its_line(home: Path) -> None:
    (home / "cluster.py").write_text("def broken():\n    x = {}\n    return x['no']\n")
    done = fab(home, "broken")
    assert done.returncode == 1 and "the task broken failed" in done.stderr and "cluster.py:3" in done.stderr


def test_nothing_runs_when_one_of_the_names_is_wrong(home: Path) -> None:
    (home / "cluster.py").write_text("from fabric.api import local\ndef touch():\n    local('touch made')\n")
    done = fab(home, "touch", "tuoch")
    assert done.returncode != 0 and 'did you mean "touch"?' in done.stderr
    assert not (home / "made").exists()


def test_a_task_that_needs_a_host_and_has_none_says_so(home: Path) -> None:
    (home / "cluster.py").write_text("from fabric.api import run\ndef look():\n    run('true')\n")
    done = fab(home, "look")
    assert done.returncode == 1 and "-R ROLE" in done.stderr


def test_without_a_file_it_says_where_it_looked(home: Path) -> None:
    done = fab(home, "-l")
    assert done.returncode == 2 and "cluster.py" in done.stderr and "fabfile.py" in done.stderr


def test_fab_classic_in_the_same_environment_is_told_in_one_sentence(home: Path) -> None:
    # The real package's own marks; nothing of it is imported.
    info = home / "other" / "fab_classic-1.21.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fab-classic\nVersion: 1.21.0\n")
    (home / "cluster.py").write_text("from fabric.api import run\n")
    done = fab(home, "-l", PYTHONPATH=str(home / "other"))
    assert done.returncode == 1
    assert "fab-classic 1.21.0 is installed in the same environment" in done.stderr and "pip uninstall" in done.stderr


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("t", ("t", [], {}, {})),
        ("t:a,b=c", ("t", ["a"], {"b": "c"}, {})),
        (r"t:a\,b,x\=y", ("t", ["a,b", "x=y"], {}, {})),
        ("t:hosts=a;b,role=grq", ("t", [], {}, {"hosts": ["a", "b"], "role": ["grq"]})),
        ("t:url=http://h:1/x", ("t", [], {"url": "http://h:1/x"}, {})),
    ],
)
def test_words_of_the_command_line(word: str, wanted: object) -> None:
    assert parse(word) == wanted


def test_settings_come_back_also_after_a_fault() -> None:
    env.reset()
    with pytest.raises(ValueError), settings(warn_only=True, fresh=1):
        assert env.warn_only and env.fresh == 1
        raise ValueError
    assert env.warn_only is False and "fresh" not in env


def test_only_the_line_that_activates_an_environment_is_left_out() -> None:
    assert is_activation("source ~/mozart/bin/activate") and is_activation(". /x/bin/activate ")
    assert not is_activation("source ~/profile") and not is_activation("echo source x/bin/activate")


def test_the_table_in_the_docs_is_the_one_of_the_code() -> None:
    assert (ROOT / "docs" / "reference" / "fabric-verdicts.md").read_text() == as_markdown()
