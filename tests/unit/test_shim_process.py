"""The `sds` command as a process: prompts on a terminal, refusals without one, and what it does not load."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SDS = [sys.executable, "-c", "from legacy_shim.main import main; main()"]


def sds(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "no-kubeconfig")}
    return subprocess.run(
        [*SDS, *argv], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=60
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").write_text("MOZART_PVT_IP: 127.0.0.1\n")
    return tmp_path


@pytest.mark.parametrize("verb", ["start", "stop", "reset", "update", "status"])
def test_missing_configuration_fails_first(tmp_path: Path, verb: str) -> None:
    done = sds(tmp_path, verb, "mozart")
    assert done.returncode == 1
    assert "no configuration" in done.stderr and str(tmp_path / "config") in done.stderr
    assert "y/n" not in done.stderr and not done.stdout


def test_update_ci_is_refused_aloud(home: Path) -> None:
    done = sds(home, "update", "ci", "-f")
    assert done.returncode == 1 and "update ci" in done.stderr and not done.stdout


@pytest.mark.parametrize("verb", ["start", "stop", "reset", "update"])
def test_without_a_terminal_the_flag_is_named(home: Path, verb: str) -> None:
    done = sds(home, verb, "mozart")
    assert done.returncode == 1
    assert "no terminal" in done.stderr and "-f" in done.stderr and not done.stdout


def test_update_of_a_component_without_workloads_is_refused(home: Path) -> None:
    done = sds(home, "update", "ci", "-f")
    assert done.returncode == 1 and "Jenkins" in done.stderr


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("y\n", True),
        ("Y\n", True),
        ("yes\n", True),
        ("YES\n", True),
        ("n\n", False),
        ("no\n", False),
        ("\n\nmaybe\nn\n", False),
        ("bogus\ny\n", True),
    ],
)
def test_prompt_answers(typed: str, answer: bool) -> None:
    code, shown = on_terminal(
        "from sdsk8s.console.console import Console; exit(10 + Console().confirm('start', 'all'))", typed
    )
    assert code == 10 + answer
    assert "Starting components: all. Continue [y/n]" in shown


@pytest.mark.parametrize(("typed", "told"), [("yes\n", True), ("Y\n", True), ("y\n", False)])
def test_an_answer_that_was_a_no_is_pointed_out(typed: str, told: bool) -> None:
    call = "from legacy_shim.console import LegacyConsole; LegacyConsole().confirm('start', 'all')"
    assert ("the legacy tool understood it as no" in on_terminal(call, typed)[1]) == told


def test_ctrl_c_at_the_prompt_ends_with_1() -> None:
    code, _ = on_terminal(
        "import legacy_shim.verbs.operate as o, sys; from legacy_shim.console import LegacyConsole\n"
        "from legacy_shim.main import run\n"
        "o.start = lambda options, component: LegacyConsole().confirm('start', component)\n"
        "sys.exit(run(['start', 'mozart']))",
        "\x03",
    )
    assert code == 1


def on_terminal(code: str, typed: str) -> tuple[int, str]:
    """Run Python code on a pseudo-terminal of its own; (exit code, all that it showed)."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job starts with Ctrl-C ignored
        os.execv(sys.executable, [sys.executable, "-c", code])
    shown, sent = b"", False
    while True:
        if sent and typed == "\x03" and not select.select([terminal], [], [], 2)[0]:
            # A signal that arrives just before the blocking read is only seen at the next one, as on any terminal.
            os.write(terminal, typed.encode())
            continue
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
        if not sent and b"[y/n]" in shown:
            os.write(terminal, typed.encode())
            sent = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from legacy_shim.main import run; run(['-h'])\n"
        "print([m for m in ('kubernetes', 'docker', 'fabric', 'yaml', 'jinja2', 'rich') if m in sys.modules],"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]" and "update" in done.stdout


def test_verb_help_loads_no_back_end() -> None:
    code = (
        "import sys; from legacy_shim.main import run; run(['update', '-h'])\n"
        "print([m for m in ('kubernetes', 'docker', 'fabric', 'jinja2') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
