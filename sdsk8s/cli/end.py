"""How a command ends: with the exit code of its verb."""

from __future__ import annotations

from typing import NoReturn

import click


def end(code: int) -> NoReturn:
    """Leave the command with this exit code."""
    raise click.exceptions.Exit(code)
