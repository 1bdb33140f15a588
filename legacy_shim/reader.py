"""The legacy tool's parser class, argparse, with two additions. Imports no click, so that `sds -h` is fast."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any


class Reader(argparse.ArgumentParser):
    """One level of the tree. `added` are options that the legacy tool did not have: they cannot be shortened."""

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self.added: list[argparse.Action] = []

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        found: list[Any] = super()._get_option_tuples(option_string)
        if not option_string.startswith("--"):
            return found
        return [hit for hit in found if hit[0] not in self.added]


class Rest:
    """Stands for a sub-verb: takes every word that follows it, to be read by the sub-verb's own Reader."""

    def __init__(self, **_: Any) -> None:
        """argparse makes one for each sub-verb; a whole parser would cost a fifth of a millisecond each."""

    def parse_known_args(self, args: Sequence[str], namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        return argparse.Namespace(rest=list(args)), []


def top(verbs: Iterable[tuple[str, str]], description: str) -> Reader:
    """The parser of `sds` itself: -h, -d and a verb. After it, `verb` is None or a name, `rest` the verb's words."""
    parser = Reader(prog="sds", description=description)
    parser.add_argument("--debug", "-d", action="store_true", help="tell more on stderr")
    add_verbs(parser, verbs, required=False)
    return parser


def add_verbs(parser: Reader, verbs: Iterable[tuple[str, str]], *, required: bool) -> None:
    """Sub-verbs with their one-line helps."""
    action: Any = parser.add_subparsers(dest="verb", required=required, parser_class=Rest)
    for name, text in verbs:
        action.add_parser(name, help=text)
