"""The words that a shell offers, from the verbs of table.py. Nothing here asks the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from legacy_shim.grammar import Argument, Group
from legacy_shim.table import TABLE, arguments, children
from sdsk8s.errors import SdsError
from sdsk8s.verbs import completion
from sdsk8s.verbs.completion import Offer


def answer(instruction: str) -> int:
    """Print what a shell asks for; the exit code."""
    return completion.answer("sds", instruction, offers)


def offers(words: list[str], incomplete: str) -> list[Offer]:
    """What may stand at `incomplete` after the words; nothing when they lead nowhere."""
    level = Level("")
    for word in words:
        after = level.after(word)
        if after is None:
            return []
        level = after
    try:
        return list(level.offers("" if incomplete == "=" else incomplete))
    except SdsError:  # a component of the site that cannot be read: the verb itself will complain
        return []


class Level:
    """Where words have led: a verb, what of its arguments is still to come, and the option that waits for a value."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._options = {name: a for a in arguments(path) if a.is_option for name in a.names}
        self._positionals = [a for a in arguments(path) if not a.is_option]
        self._given: set[str] = set()
        self._waiting: Argument | None = None
        self._only_words = False

    def after(self, word: str) -> Level | None:
        """The level behind one more word; None when there is no such verb."""
        if self._waiting and word == "=":  # bash hands over --type=hysds as three words
            return self
        if self._waiting and not self._is_option(word):
            self._waiting = None
            return self
        self._waiting = None
        if word == "--" and not self._only_words:
            self._only_words = True
        elif self._is_option(word):
            self._take_option(word)
        elif isinstance(TABLE[self._path], Group):
            return Level(f"{self._path} {word}".strip()) if word in children(self._path) else None
        elif self._positionals and not self._positionals[0].takes_many:
            self._positionals.pop(0)
        # Behind a remainder every word belongs to it.
        self._only_words |= bool(self._positionals and self._positionals[0].settings.get("nargs") == "...")
        return self

    def offers(self, incomplete: str) -> Iterator[Offer]:
        """Words of the level that begin with what was typed."""
        option, equals, text = incomplete.partition("=")
        if self._waiting and not self._is_option(incomplete):
            yield from _values(self._waiting, incomplete)
        elif self._is_option(incomplete):
            if equals and option in self._options:
                yield from _values(self._options[option], text)
            else:
                yield from self._names(incomplete)
        elif isinstance(TABLE[self._path], Group):
            found = children(self._path)
            yield from (Offer(name, found[name].help) for name in found if name.startswith(incomplete))
        elif self._positionals:
            yield from _values(self._positionals[0], incomplete)

    def _names(self, incomplete: str) -> Iterator[Offer]:
        for name, option in self._options.items():
            if option.settings["dest"] not in self._given or option.takes_many:
                yield from [Offer(name, option.settings["help"])] if name.startswith(incomplete) else []
        yield from (Offer(name, "show this help") for name in ("-h", "--help") if name.startswith(incomplete))

    def _is_option(self, word: str) -> bool:
        return word.startswith("-") and not self._only_words

    def _take_option(self, word: str) -> None:
        """Options that the word holds: one long one, perhaps shortened, or several letters."""
        name, equals, _ = word.partition("=")
        if name.startswith("--"):
            hits = [n for n, a in self._options.items() if n.startswith(name) and (n == name or not a.added)]
            for hit in [name] if name in hits else hits:
                self._take(self._options[hit], bool(equals))
            return
        for i, letter in enumerate(word[1:], start=1):
            option = self._options.get(f"-{letter}")
            if option:
                self._take(option, i < len(word) - 1)
            if option and option.takes_value:
                return

    def _take(self, option: Argument, has_value: bool) -> None:
        self._given.add(option.settings["dest"])
        self._waiting = option if option.takes_value and not has_value else None


def _values(argument: Argument, incomplete: str) -> Iterator[Offer]:
    if argument.paths:
        yield Offer(incomplete, kind=argument.paths)
    yield from (Offer(word) for word in argument.words() if word.startswith(incomplete))
