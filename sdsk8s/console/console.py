"""The Console: how a verb speaks to the person in front of it. A front end gives its own to the session.

Results go to stdout; questions, notes and progress go to stderr. Every command loads this module, so it loads little.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sdsk8s.console.progress import PlainProgress
from sdsk8s.console.table import table_lines
from sdsk8s.errors import RefusedError

if TYPE_CHECKING:
    from sdsk8s.runner.run import Progress

GERUND = {
    "start": "Starting",
    "stop": "Stopping",
    "reset": "Resetting",
    "update": "Updating",
    "undo": "Undoing",
    "redeploy": "Redeploying",
    "restart": "Restarting",
    "scale": "Scaling",
    "cloud asg create": "Autoscaling",
}


class Console:
    """The manners of one front end.

    force_flag  how the front end spells "do not ask"
    legacy      the front end is `sds`: `all` means the components that the legacy verb knew
    """

    force_flag = "--yes"
    legacy = False

    def print(self, text: str = "", *, color: bool | None = None) -> None:
        """One line of result."""
        click.echo(text, color=color)

    def print_table(self, rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their longest cell; an empty cell is a dash."""
        for line in table_lines(rows):
            self.print(line)

    def write(self, text: str, *, flush: bool = True) -> None:
        """Text of the result as it is. flush: False where much follows, such as the lines of a log."""
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()

    def print_json(self, data: Any) -> None:
        click.echo(json.dumps(data, indent=2))

    def note(self, text: str) -> None:
        """One line on stderr."""
        click.echo(text, err=True)

    def need_terminal(self, verb: str) -> None:
        """RefusedError when nobody can be asked; called before anything is read."""
        if not sys.stdin.isatty():
            raise RefusedError(
                f"{verb} asks for confirmation, but there is no terminal",
                next=f"add {self.force_flag} to skip the question",
            )

    def confirm(self, verb: str, target: str) -> bool:
        """The legacy question before a verb changes something."""
        plural = "s" if target == "all" else ""
        return self.yes_or_no(f"{GERUND.get(verb, verb)} component{plural}: {target}. Continue [y/n]")

    def yes_or_no(self, question: str) -> bool:
        """Asks until the answer is y, yes, n or no, in any case."""
        while True:
            answer = click.prompt(question, err=True, show_default=False).strip()
            if answer.lower() in ("y", "yes"):
                self.answered_yes(answer)
                return True
            if answer.lower() in ("n", "no"):
                return False
            self.note("please answer y or n")

    def answered_yes(self, answer: str) -> None:
        """Called with each answer that was taken for yes."""

    def agree(self, question: str, *, default: bool = False) -> bool:
        """A question of yes or no outside of plans; Enter is the default."""
        return click.confirm(question, default=default, err=True)

    def ask(self, text: str, value: Any = None) -> str:
        """A question whose answer is a word; Enter keeps the value."""
        shown = value is not None
        return str(click.prompt(text, default=value if shown else "", show_default=shown, err=True))

    def ask_hidden(self, text: str, *, needed: bool = False) -> str:
        """The same for secrets: the answer is not shown. Enter is an empty answer; needed: it asks again."""
        default = None if needed else ""
        return str(click.prompt(text, default=default, show_default=False, hide_input=True, err=True))

    @contextmanager
    def progress(self, total: int) -> Iterator[Progress]:
        """Shows a run of so many steps on stderr: a live tree on a terminal, lines elsewhere."""
        if sys.stderr.isatty() and not logging.getLogger("sdsk8s").isEnabledFor(logging.DEBUG):
            from sdsk8s.console.live_progress import LiveProgress  # rich: for terminals only

            with LiveProgress(total) as live:
                yield live
        else:
            yield PlainProgress(total, sys.stderr)
