"""What a verb of `sds` takes, as data: positionals, options, choices. Imports next to nothing: `sds -h` is fast.

`table.py` lists the verbs, `reader.py` makes argparse parsers of them, `complete.py` the words that a shell offers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Choices = Sequence[str] | Callable[[], Sequence[str]]
"""Words, or a function that finds them when they are needed: the components are read from the catalogue."""


class Argument(NamedTuple):
    """One positional or option.

    names     of an option its spellings, the long one first: argparse names it by that in its messages
    settings  further arguments of argparse's add_argument
    choices   the words that are accepted; none: any word
    added     an option that the legacy tool did not have: it cannot be shortened, so that no old abbreviation breaks
    paths     what a shell offers where there are no choices: "file" or "dir"
    """

    names: tuple[str, ...]
    settings: dict[str, Any]
    choices: Choices = ()
    added: bool = False
    paths: str = ""

    @property
    def is_option(self) -> bool:
        return self.names[0].startswith("-")

    @property
    def takes_value(self) -> bool:
        return self.settings.get("action") != "store_true"

    @property
    def takes_many(self) -> bool:
        """More than one word, or the option more than once."""
        return self.settings.get("nargs") in ("*", "...") or self.settings.get("action") == "append"

    def words(self) -> list[str]:
        """The choices."""
        return list(self.choices() if callable(self.choices) else self.choices)


class Verb(NamedTuple):
    """A verb without sub-verbs. What is not honoured is not offered, and refused when a SDS_* variable asks for it.

    where  `module:function` below legacy_shim. It is called with the options of sdsk8s/verbs/options.py and the
           verb's own words by their names; it returns the exit code, or raises an SdsError
    plans  the function honours options.dry_run and options.print_kubectl
    reads  it changes nothing, so that a dry run has no meaning
    json   it honours options.output
    """

    where: str
    help: str
    arguments: tuple[Argument, ...] = ()
    plans: bool = False
    reads: bool = False
    json: bool = False


class Group(NamedTuple):
    """A verb with sub-verbs. alone: what happens without one; "error", or "help": the help of `sds` on stderr."""

    help: str
    arguments: tuple[Argument, ...] = ()
    alone: str = "error"


def word(name: str, choices: Choices = (), *, default: str | None = None, paths: str = "") -> Argument:
    """A positional; with a default it may be left out."""
    optional = {} if default is None else {"nargs": "?", "default": default}
    return Argument((name,), optional, choices, paths=paths)


def flag(*names: str, dest: str, help: str) -> Argument:
    return Argument(names, {"action": "store_true", "dest": dest, "help": help})


def value(
    *names: str, dest: str, help: str, choices: Choices = (), default: str | None = None, paths: str = ""
) -> Argument:
    """An option with a value."""
    return Argument(names, {"dest": dest, "help": help, "default": default}, choices, paths=paths)


def optional_value(*names: str, dest: str, help: str, choices: Sequence[str]) -> Argument:
    """The value may be left out: it is then the first choice. Greedy, as it was: the next word is the value."""
    first = choices[0]
    return Argument(names, {"dest": dest, "help": help, "nargs": "?", "const": first, "default": first}, choices)


def added(argument: Argument, **settings: Any) -> Argument:
    """The option as one that the legacy tool did not have. settings: further arguments of add_argument."""
    return argument._replace(added=True, settings={**argument.settings, **settings})
