"""`completion`: the script that a shell sources, and how it asks afterwards. Completing never asks the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")


class Offer(NamedTuple):
    """A word to choose. kind: "plain", or "file" and "dir": the shell offers paths."""

    word: str
    help: str = ""
    kind: str = "plain"


def script(program: str, shell: str) -> str:
    """The completion script of a program for a shell."""
    made = _protocol(program, shell)
    assert made is not None
    return made.source_template % made.source_vars()


def answer(program: str, instruction: str, offers: Callable[[list[str], str], Iterable[Offer]]) -> int:
    """Print what a shell asks for by the variable _PROGRAM_COMPLETE, whose value is the instruction.

    offers: what may stand at the second argument, which may be incomplete, after the words of the first one.
    Returns 1 for an unknown shell or question, else 0.
    """
    shell, _, question = instruction.partition("_")
    made = _protocol(program, shell)
    if made is None or question != "complete":
        return 1
    for offer in offers(*made.get_completion_args()):
        click.echo(made.format_completion(CompletionItem(offer.word, offer.kind, offer.help or None)))
    return 0


def _protocol(program: str, shell: str) -> ShellComplete | None:
    kind = get_completion_class(shell)
    return kind(click.Group(program), {}, program, f"_{program}_COMPLETE".upper()) if kind else None
