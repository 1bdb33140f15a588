"""The Console of `sds`: the legacy options, questions and answers."""

from __future__ import annotations

import click

from sdsk8s.console.console import Console
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session


class LegacyConsole(Console):
    """`-f` skips a question; an answer that the legacy tool took for no is pointed out."""

    force_flag = "-f"
    legacy = True

    def answered_yes(self, answer: str) -> None:
        if answer != "y":
            self.note(f"note: {answer} means yes; the legacy tool understood it as no")

    def ask(self, question: str, default: str = "") -> str:
        """A line of text; asked again until it is not empty."""
        return str(click.prompt(question, default=default or None, err=True)).strip()


def legacy_session(options: Options) -> Session:
    """A session that speaks as the legacy tool did."""
    return Session(options, LegacyConsole())
