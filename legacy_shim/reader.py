"""argparse parsers for the verbs of table.py, one level of the tree after the other.

argparse was the legacy tool's parser. So shortened long options, bundled flags, greedy optional values, options before
and after positionals, the order in which faults are found, usage lines and help are the legacy tool's by construction.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from legacy_shim.grammar import Argument, Group, Verb
from legacy_shim.table import TABLE, arguments, children


class Reader(argparse.ArgumentParser):
    """One level of the tree."""

    def __init__(self, path: str) -> None:
        entry = TABLE[path]
        super().__init__(prog=f"sds {path}".strip(), description=entry.help)
        self._added: list[argparse.Action] = []
        for argument in arguments(path):
            self._take(argument)
        if isinstance(entry, Group):
            verbs: Any = self.add_subparsers(dest="verb", required=entry.alone == "error", parser_class=Rest)
            for name, below in children(path).items():
                verbs.add_parser(name, help=below.help)

    def _take(self, argument: Argument) -> None:
        choices: dict[str, Any] = {"choices": argument.words()} if argument.choices else {}
        action = self.add_argument(*argument.names, **argument.settings, **choices)
        if argument.added:
            self._added.append(action)

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """What a shortened long option may mean: never an added one."""
        found: list[Any] = super()._get_option_tuples(option_string)
        if not option_string.startswith("--"):
            return found
        return [hit for hit in found if hit[0] not in self._added]


class Rest:
    """Stands for a sub-verb: takes every word that follows it, to be read by the sub-verb's own Reader."""

    def __init__(self, **_: Any) -> None:
        """argparse makes one for each sub-verb; a whole parser would cost a fifth of a millisecond each."""

    def parse_known_args(self, args: Sequence[str], namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        return argparse.Namespace(rest=list(args)), []


class Line(NamedTuple):
    """A command line that was understood. values: the verb's own words and the shared options that were typed."""

    path: str
    verb: Verb
    values: Mapping[str, Any]


def read(words: Sequence[str]) -> Line:
    """Understand a command line. SystemExit after argparse has printed help (0) or a fault (2), 1 without a verb."""
    path, values, unknown = "", dict[str, Any](), list[str]()
    while True:
        reader, entry = Reader(path), TABLE[path]
        found, more = reader.parse_known_args(words)
        # A verb's value overwrites that of the group around it, even by its default: as in the legacy tool.
        values |= vars(found)
        unknown += more
        if isinstance(entry, Group) and values.pop("verb"):
            path, words = f"{path} {found.verb}".strip(), values.pop("rest")
            continue
        if unknown:
            reader.error(f"unrecognized arguments: {' '.join(unknown)}")
        if isinstance(entry, Group):
            _without_a_verb()
        return Line(path, entry, values)


def usage(path: str) -> str:
    """The usage of a verb, on one line."""
    return " ".join(Reader(path).format_usage().removeprefix("usage: ").split())


def _without_a_verb() -> NoReturn:
    Reader("").print_help(sys.stderr)
    sys.exit(1)
