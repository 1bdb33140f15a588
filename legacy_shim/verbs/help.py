"""`sds help VERB`: what the verb meant, what it does now, and the kubectl commands nearest to it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from legacy_shim.grammar import Verb
from legacy_shim.reader import usage
from legacy_shim.table import TABLE
from sdsk8s.errors import UsageError
from sdsk8s.model.names import unknown
from sdsk8s.verbs.options import Options

FILE = Path(__file__).parent.with_name("help.yaml")


@dataclass(frozen=True)
class HelpEntry:
    """verb: all its words. old, new: sentences. kubectl: commands, perhaps none. usage: the line of `-h`."""

    verb: str
    usage: str
    old: str
    new: str
    kubectl: tuple[str, ...]


def entries() -> list[HelpEntry]:
    """All verbs, in the table's order."""
    data: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return [
        HelpEntry(path, usage(path), data[path]["old"], data[path]["new"], tuple(data[path]["kubectl"]))
        for path, entry in TABLE.items()
        if isinstance(entry, Verb)
    ]


def show(options: Options, *, words: Sequence[str]) -> int:
    """One verb, a group of verbs, or all of them."""
    wanted = " ".join(words)
    chosen = [e for e in entries() if not wanted or e.verb == wanted or e.verb.startswith(f"{wanted} ")]
    if not chosen:
        raise UsageError(f'no verb named "{wanted}"; {unknown(wanted, [e.verb for e in entries()])}')
    if options.output == "json":
        print(json.dumps({"version": 1, "verbs": [asdict(e) for e in chosen]}, indent=2))
        return 0
    print("\n\n".join(_text(e) for e in chosen))
    return 0


def _text(entry: HelpEntry) -> str:
    lines = [entry.usage]
    for title, text in (("before", entry.old), ("now", entry.new)):
        lines.append(textwrap.fill(text, 100, initial_indent=f"  {title:<8} ", subsequent_indent=" " * 11))
    for i, command in enumerate(entry.kubectl):
        lines.append(f"  {'kubectl' if i == 0 else '':<8} {command}")
    return "\n".join(lines)
