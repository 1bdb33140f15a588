"""Help, completion and bad command lines load none of the heavy libraries: looked up by module list, not by time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from sdsk8s.cli.commands import COMMANDS
from sdsk8s.cli.group import cli

HEAVY = ("boto3", "pyrage", "kubernetes", "docker", "fabric", "rich", "jinja2", "cryptography", "urllib3")


def loaded(program: str, argv: list[str], **env: str) -> tuple[int, list[str]]:
    """(exit code, heavy modules in memory at the end) of a command run in a fresh interpreter."""
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr))\n"
        f"sys.argv = {[program, *argv]!r}\n"
        f"from {program} import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **env}, check=False
    )
    line = next(x for x in done.stderr.splitlines() if x.startswith("LOADED"))
    return done.returncode, line.split()[1:]


@pytest.mark.parametrize("program", ["sdsk8s.cli.main", "legacy_shim.main"])
@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["status", "--help"], ["start", "-h"]])
def test_help(program: str, argv: list[str]) -> None:
    code, heavy = loaded(program, argv)
    assert code == 0 and heavy == []


@pytest.mark.parametrize("program", ["sdsk8s.cli.main", "legacy_shim.main"])
def test_a_bad_command_line_is_refused_as_quickly(program: str) -> None:
    code, heavy = loaded(program, ["strat"])
    assert code == 2 and heavy == []


def test_no_command_loads_a_heavy_library_before_it_is_run() -> None:
    """Help and completion of a sub-command import its module: all modules of all commands at once."""
    code = "from sdsk8s.cli.group import cli; [cli.get_command(None, n) for n in cli.list_commands(None)]; import sys; "
    code += f"print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["LOADED"]


def test_the_console_is_light() -> None:
    """Every command loads it, a copy to a pod as well: planners and runs are loaded by the verbs that have plans."""
    code = "import sdsk8s.console.console, sys; print('LOADED', *[m for m in sys.modules if m.startswith('sdsk8s.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [m for m in done.stdout.split() if m.split(".")[1:2] not in ([], ["console"], ["errors"])] == []


def test_completion() -> None:
    env = {"_SDSK8S_COMPLETE": "bash_complete", "COMP_WORDS": "sdsk8s stop mo", "COMP_CWORD": "2"}
    code = "import sys; sys.argv=['sdsk8s']; from sdsk8s.cli.main import main\n"
    code += "import atexit\n"
    code += f"atexit.register(lambda: print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules]))\nmain()"
    full = {**os.environ, **env}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=full, check=False)
    assert "plain,mozart" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


def test_help_needs_no_click_and_is_the_same_that_click_prints() -> None:
    call = "from sdsk8s.cli.main import main; import sys; main({0})"
    watch = "import atexit, sys; atexit.register(lambda: print('click' in sys.modules, file=sys.stderr)); "
    quick, slow = (
        subprocess.run([sys.executable, "-c", watch + call.format(words)], capture_output=True, text=True, check=True)
        for words in ("['--help']", "['config', '--help']")
    )
    assert quick.stderr.strip() == "False" and slow.stderr.strip() == "True"
    assert quick.stdout == CliRunner().invoke(cli, ["--help"]).output
    assert set(COMMANDS) <= {line.split()[0] for line in quick.stdout.splitlines() if line.strip()}
