"""Answers to the questions of `sds cloud`: given by --set or --from, by the site's configuration, or asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from legacy_shim.console import LegacyConsole
from sdsk8s.errors import ConfigError, RefusedError, UsageError
from sdsk8s.model.names import unknown
from sdsk8s.site.yamlfile import read_mapping

_YES, _NO = ("y", "yes", "true"), ("n", "no", "false")


class Answers:
    """Looked up in this order: --set KEY=VALUE, the file of --from, the mapping `block` of the configuration."""

    def __init__(
        self,
        console: LegacyConsole,
        keys: Sequence[str],
        config: Mapping[str, Any],
        block: str,
        source: str | None = None,
        assignments: Iterable[str] | None = None,
    ) -> None:
        self.console = console
        self._block = block
        here = config.get(block) or {}
        if not isinstance(here, Mapping):
            raise ConfigError(f"{block} is not a mapping of keys to values", target="config")
        given: dict[str, Any] = {k: v for k, v in here.items() if v is not None}
        if source:
            read = read_mapping(Path(source))
            inner = read.pop(block, None) or {}
            given |= _known({**read, **inner}, keys, source)
        for text in assignments or ():
            key, equals, value = text.partition("=")
            if not equals or not key:
                raise UsageError(f"--set {text}: expected KEY=VALUE")
            given |= _known({key: value}, keys, "--set")
        self._given = given

    def has(self, key: str) -> bool:
        return key in self._given

    def get(self, key: str, fallback: Any = None) -> Any:
        """What was given for a key that is never asked."""
        return self._given.get(key, fallback)

    def text(self, key: str, question: str, default: str = "") -> str:
        if key in self._given:
            return str(self._given[key]).strip()
        self._need_terminal(key)
        return self.console.ask(question, default)

    def words(self, key: str, question: str, default: str = "") -> list[str]:
        """Several words; a list in YAML, else with blanks or commas between."""
        value = self._given[key] if key in self._given else self.text(key, question, default)
        return _words(value)

    def yes(self, key: str, question: str) -> bool:
        if key in self._given:
            return truth(key, self._given[key])
        self._need_terminal(key)
        return self.console.yes_or_no(f"{question} [y/n]")

    def number(self, key: str, default: int, most: int = 10_000) -> int:
        """A whole number that is never asked."""
        value = self._given.get(key, default)
        if isinstance(value, bool) or not str(value).isdigit() or int(value) > most:
            raise UsageError(f"{key} is {value!r}", words=f"expected a whole number from 0 to {most}")
        return int(value)

    def choose(self, key: str, title: str, question: str, options: Mapping[str, str]) -> str:
        """One of the options {value: what is shown}, by its number from 0 or by itself."""
        return self._chosen(key, title, question, options, many=False)[0]

    def choose_many(self, key: str, title: str, question: str, options: Mapping[str, str]) -> list[str]:
        return self._chosen(key, title, question, options, many=True)

    def _chosen(self, key: str, title: str, question: str, options: Mapping[str, str], many: bool) -> list[str]:
        if key in self._given:
            values = _words(self._given[key]) if many else [str(self._given[key]).strip()]
            for value in values:
                if value not in options:
                    raise UsageError(f"{key}: {value!r} does not exist in this account", words=unknown(value, options))
            if not values:
                raise UsageError(f"{key} is empty")
            return values
        if not options:
            raise RefusedError(f"{title}: none found in this account", next=f"create one, then set {key}")
        self._need_terminal(key)
        self.console.note(f"\n{title}:\n")
        names = list(options)
        for number, name in enumerate(names):
            self.console.note(f"{number}. {options[name] or name}")
        while True:
            typed = _words(self.console.ask(f"\n{question}"))
            found = [names[int(t)] if t.isdigit() and int(t) < len(names) else t for t in typed]
            wrong = [t for t in found if t not in options]
            if found and not wrong and (many or len(found) == 1):
                return list(dict.fromkeys(found))
            self.console.note(f"Invalid selection: {' '.join(wrong) or ' '.join(typed)}")

    def _need_terminal(self, key: str) -> None:
        if not sys.stdin.isatty():
            raise RefusedError(
                f"{key} has no value, and there is no terminal to ask",
                next=f"--set {key}=VALUE, --from FILE, or {key} in the mapping {self._block} of the configuration",
            )


def truth(key: str, value: Any) -> bool:
    """y, yes, true or their opposites, as YAML or as text."""
    word = str(value).strip().lower()
    if word in (*_YES, *_NO):
        return word in _YES
    raise UsageError(f"{key} is {value!r}", words="expected y or n")


def _words(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(v) for v in value]
    return str(value).replace(",", " ").split()


def _known(given: Mapping[str, Any], keys: Sequence[str], where: str) -> dict[str, Any]:
    for key in given:
        if key not in keys:
            raise UsageError(f"{where}: no question has the key {key}", words=unknown(str(key), keys))
    return {k: v for k, v in given.items() if v is not None}
