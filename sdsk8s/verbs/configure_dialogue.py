"""The questions of `configure`, in the legacy order; Enter keeps the current value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdsk8s.console.console import Console
from sdsk8s.site.configure import SITE_KEYS, password_hash
from sdsk8s.site.legacy import legacy
from sdsk8s.verbs.configure_answers import HOST_SUFFIXES, Answers, default, fixed, typed

SITE_DEFAULTS = {"name": "sds", "namespace": "sds"}


class Dialogue:
    """One round of questions. current: what the configuration holds now."""

    def __init__(self, console: Console, current: Mapping[str, Any]) -> None:
        self._console = console
        self._current = current
        self._answers: dict[str, Any] = {}

    def run(self, site: Mapping[str, Any]) -> Answers:
        """Ask everything. site: what site.yaml holds now."""
        for block in legacy()["dialogue"]:
            self._console.note(f"\n== {block['title']}")
            if "hosts" in block:
                self._hosts(block["hosts"])
            for near in block.get("near", ()):
                self._near(near)
            for q in block.get("ask", ()):
                self._question(q)
        self._console.note("\n== Kubernetes (site.yaml)")
        wanted = {key: self._ask(key, site.get(key, SITE_DEFAULTS.get(key))) for key in SITE_KEYS}
        answers = self._answers | fixed(self._current)
        return Answers(answers, {key: value for key, value in wanted.items() if value is not None})

    def _now(self, key: str) -> Any:
        return self._answers.get(key, self._current.get(key))

    def _hosts(self, prefix: str) -> None:
        for suffix in HOST_SUFFIXES:
            key, value = prefix + suffix, self._current.get(prefix + suffix)
            if isinstance(value, list):
                self._console.note(f"{key} is a list: kept ({', '.join(map(str, value))})")
                continue
            self._answers[key] = self._ask(key, value)

    def _near(self, near: Mapping[str, Any]) -> None:
        """A store that mostly lives on its component's host."""
        kept = self._current.get(near["prefix"] + "_PVT_IP")
        apart = kept is not None and kept != self._current.get(near["of"] + "_PVT_IP")
        if self._console.agree(f"Does {near['title']} have another address", default=apart):
            self._hosts(near["prefix"])
        else:
            self._answers |= {near["prefix"] + s: self._now(near["of"] + s) for s in HOST_SUFFIXES}
        for q in near.get("ask", ()):
            self._question(q)

    def _question(self, q: Mapping[str, Any]) -> None:
        key = q["key"]
        if q.get("only_with") and not self._now(q["only_with"]):
            self._answers[key] = None
        elif q.get("secret"):
            self._answers[key] = self._ask_secret(q, self._current.get(key))
        else:
            text = f"{key}, {q['text']}" if q.get("text") else key
            self._answers[key] = self._ask(text, self._current.get(key, default(q)), key)

    def _ask(self, text: str, value: Any, key: str = "") -> Any:
        answer = self._console.ask(f"  {text}", value)
        if answer == str(value):
            return value
        return typed(key, answer) if key else (answer or None)

    def _ask_secret(self, q: Mapping[str, Any], value: Any) -> Any:
        """Asked twice, not shown; Enter keeps the current value."""
        kept = value if value is not None else default(q)
        hint = " (Enter keeps it)" if value is not None else f" (Enter: {kept})" if kept else ""
        while True:
            first = self._console.ask_hidden(f"  {q['key']}{', ' + q['text'] if q.get('text') else ''}{hint}")
            if not first:
                if kept or not q.get("filled"):
                    return kept
                self._console.note("  a value is required")
                continue
            if first == self._console.ask_hidden("  again"):
                return password_hash(first) if q.get("hash") else first
            self._console.note("  the two values differ")
