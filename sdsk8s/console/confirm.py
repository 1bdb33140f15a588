"""The question before a verb changes something, as the legacy tool put it."""

from __future__ import annotations

import sys

import click

from sdsk8s.errors import RefusedError

GERUND = {"start": "Starting", "stop": "Stopping", "reset": "Resetting", "update": "Updating", "undo": "Undoing",
          "redeploy": "Redeploying", "restart": "Restarting", "scale": "Scaling",
          "cloud asg create": "Autoscaling"}  # fmt: skip


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
    return yes_or_no(f"{GERUND.get(verb, verb)} component{plural}: {target}. Continue [y/n]", legacy=legacy)


def yes_or_no(question: str, *, legacy: bool = False) -> bool:
    """Asks until it is y, yes, n or no, in any case."""
    while True:
        answer = click.prompt(question, err=True, show_default=False).strip()
        if answer.lower() in ("y", "yes"):
            if legacy and answer != "y":
                click.echo(f"note: {answer} counts as yes; the legacy tool took it for no", err=True)
            return True
        if answer.lower() in ("n", "no"):
            return False
        click.echo("please answer y or n", err=True)
