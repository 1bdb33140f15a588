"""Completion of both programs in a real bash, with a kubeconfig that leads nowhere; zsh, fish: tests/completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
LINES = {
    ("sds", "up"): {"update"},
    ("sds", "update", "m"): {"mozart", "metrics"},
    ("sds", "start", "v"): set(),
    ("sds", "cloud", "asg", ""): {"ls", "create"},
    ("sds", "ci", "add_job", "URL", "s"): {"s3", "s3s"},
    ("sds", "update", "--c"): {"--config-only"},
    ("sds", "-d", "sto"): {"stop", "stop_tps"},
    ("sdsk8s", "doc"): {"doctor"},
    ("sdsk8s", "stop", "moz"): {"mozart"},
}
ENV = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "KUBECONFIG": "/nonexistent", "SDS_HOME": "/nonexistent"}
BASH = (
    'source <({0} completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); '
    '_{0}_completion {0}; echo "${{COMPREPLY[@]}}"'
)


@pytest.mark.parametrize(("words", "want"), LINES.items(), ids=[" ".join(w) for w in LINES])
def test_bash(words: tuple[str, ...], want: set[str]) -> None:
    done = subprocess.run(
        ["bash", "-euc", BASH.format(words[0]), "bash", *words], env=ENV, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == want and not done.stderr


@pytest.mark.parametrize("program", ["sds", "sdsk8s"])
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_words_that_other_shells_ask_for(program: str, shell: str) -> None:
    """What the script of zsh or fish asks the program for, without the shell."""
    words = f"{program} stop mo"
    cword = "mo" if shell == "fish" else "2"
    env = {**ENV, f"_{program.upper()}_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": cword}
    done = subprocess.run([BIN / program], env=env, capture_output=True, text=True, check=True)
    assert "mozart" in done.stdout.replace(",", " ").split()
