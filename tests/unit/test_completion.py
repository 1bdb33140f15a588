"""Completion of both programs in a real bash, with a kubeconfig that leads nowhere; zsh, fish: tests/completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from legacy_shim.complete import offers
from sdsk8s.verbs.completion import Offer

BIN = Path(sys.executable).parent
LINES = {
    ("sds", "up"): {"update"},
    ("sds", "update", "m"): {"mozart", "metrics"},
    ("sds", "start", "v"): set(),
    ("sds", "cloud", "asg", ""): {"ls", "create"},
    ("sds", "ci", "add_job", "URL", "s"): {"s3", "s3s"},
    ("sds", "update", "--c"): {"--config-only"},
    ("sds", "-d", "sto"): {"stop", "stop_tps"},
    ("sds", "bogus", ""): set(),
    ("sds", "start", "--type", "=", "h"): {"hysds"},
    ("sds", "start", "-t", "hysds", "moz"): {"mozart"},
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


@pytest.mark.parametrize(
    ("line", "want"),
    [
        ("start --type=h", "hysds"),
        ("start -", "--type -t --force -f --debug -d --dry-run --print-kubectl --output -o -h --help"),
        ("start -f --f", ""),  # given already
        ("start --force mozart --dr", "--dry-run"),
        ("start --fo mozart --f", ""),  # shortened, as argparse takes it
        ("update -nf --", "--type --config-only --debug --dry-run --print-kubectl --output --help"),
        ("update -- -", ""),
        ("cloud asg create --set A=1 --se", "--set"),  # may be given again
        ("cloud storage create_staging_area -px --p", "--print-kubectl"),
        ("ci -t hysds add", "add_job"),
        ("ci add_job URL s3 ", ""),
        ("orch run mozart l", ""),
        ("orch run mozart ls -", ""),  # the command's own words
        ("orch run -t hysds moz", "mozart"),
        ("job list -- ", ""),
        ("nothing of this ", ""),
    ],
)
def test_offers(line: str, want: str) -> None:
    *words, incomplete = line.split(" ")
    assert [offer.word for offer in offers(words, incomplete)] == want.split()


@pytest.mark.parametrize(
    ("line", "kind"), [("pkg import ex", "file"), ("pkg export ID -o ex", "dir"), ("configure --from ex", "file")]
)
def test_the_shell_offers_paths_where_a_path_is_taken(line: str, kind: str) -> None:
    *words, incomplete = line.split(" ")
    assert offers(words, incomplete) == [Offer("ex", kind=kind)]
