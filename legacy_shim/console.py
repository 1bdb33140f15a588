"""The Console of `sds`: the legacy options and answers."""

from __future__ import annotations

from sdsk8s.console.console import Console


class LegacyConsole(Console):
    """`-f` skips a question; an answer that the legacy tool took for no is pointed out."""

    force_flag = "-f"
    legacy = True

    def answered_yes(self, answer: str) -> None:
        if answer != "y":
            self.note(f"note: {answer} counts as yes; the legacy tool took it for no")
