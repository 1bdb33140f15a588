"""Completion in a real zsh and a real fish, which are installed when they are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import installed

BIN = Path(sys.executable).parent
ENV = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "KUBECONFIG": "/nonexistent", "SDS_HOME": "/nonexistent"}
LINES = {
    "sds update m": {"mozart", "metrics"},
    "sds start v": set(),
    "sds -d sto": {"stop", "stop_tps"},
    "sdsk8s doc": {"doctor"},
    "sdsk8s stop moz": {"mozart"},
    "sdsk8s files up": {"upgrade"},
}
ZSH = (
    "autoload -U compinit; compinit -u -D; source <({0} completion zsh); [ $_comps[{0}] = _{0}_completion ] || exit 9; "
    # Outside of the line editor nobody takes the words: these two print them.
    "compadd() {{ print -l -- $completions; }}; _describe() {{ print -l -- ${{completions_with_descriptions%%:*}}; }}; "
    'words=("$@"); CURRENT=$#; _{0}_completion'
)


@pytest.fixture(scope="module", autouse=True)
def shells() -> None:
    installed({"/usr/bin/zsh": "zsh", "/usr/bin/fish": "fish"})


@pytest.mark.parametrize("line", LINES)
def test_zsh(line: str, tmp_path: Path) -> None:
    program, *_ = words = line.split()
    command = ["zsh", "-fc", ZSH.format(program), "zsh", *words]
    env = {**ENV, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == LINES[line] and not done.stderr, done


@pytest.mark.parametrize("line", LINES)
def test_fish(line: str, tmp_path: Path) -> None:
    program, *_ = line.split()
    script = f'{program} completion fish | source; complete -C "{line}"'
    env = {**ENV, "HOME": str(tmp_path)}
    done = subprocess.run(["fish", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert {row.split()[0] for row in done.stdout.splitlines()} == LINES[line] and not done.stderr, done
