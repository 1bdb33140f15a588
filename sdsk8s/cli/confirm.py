"""The question before a verb changes something, as the legacy tool put it."""

from __future__ import annotations

import sys

import click

from sdsk8s.errors import RefusedError

GERUND = {"start": "Starting", "stop": "Stopping", "reset": "Resetting", "update": "Updating", "undo": "Undoing",
          "redeploy": "Redeploying", "restart": "Restarting"}  # fmt: skip


def need_terminal(verb: str, force_flag: str) -> None:
    """RefusedError when nobody can be asked, before anything is looked at."""
    if not sys.stdin.isatty():
        raise RefusedError(
            f"{verb} needs an answer, and there is no terminal to ask",
            next=f"the same command with {force_flag}, which answers yes",
        )


def confirm(verb: str, target: str, *, legacy: bool = False) -> bool:
    """True for y, Y, yes, YES. legacy: say so when the legacy tool would have taken the answer for no."""
    plural = "s" if target == "all" else ""
    while True:
        answer = click.prompt(
            f"{GERUND.get(verb, verb)} component{plural}: {target}. Continue [y/n]", err=True, show_default=False
        )
        if answer.strip().lower() in ("y", "yes"):
            if legacy and answer.strip() != "y":
                click.echo(f"note: {answer.strip()} counts as yes; the legacy tool took it for no", err=True)
            return True
        if answer.strip().lower() in ("n", "no"):
            return False
        click.echo("please answer y or n", err=True)
