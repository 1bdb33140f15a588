"""`completion`: the script that a shell sources. Completing never asks the cluster."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


def script(program: str, shell: str) -> str:
    """The completion script of a program for a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{program}_COMPLETE".upper()
    made = kind(click.Group(program), {}, program, variable)
    return made.source_template % made.source_vars()
