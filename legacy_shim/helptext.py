"""`sds help VERB`: what the verb meant, what it does now, and the kubectl commands nearest to it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from legacy_shim.hooks import HOOKS, INSTEAD
from sdsk8s.errors import UsageError
from sdsk8s.model.names import unknown
from sdsk8s.verbs.options import Options

FILE = Path(__file__).with_name("help.yaml")


@dataclass(frozen=True)
class Entry:
    """verb: all its words. old, new: sentences. kubectl: commands, perhaps none. usage: the line of `-h`."""

    verb: str
    usage: str
    old: str
    new: str
    kubectl: tuple[str, ...]


def entries() -> list[Entry]:
    """All verbs, in the tree's order."""
    from legacy_shim.tree import root

    data: dict[str, Any] = yaml.safe_load(FILE.read_text())
    found: list[Entry] = []

    def walk(command: click.Command, ctx: click.Context, path: str) -> None:
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                child = command.get_command(ctx, name)
                assert child is not None
                walk(child, click.Context(child, info_name=name, parent=ctx), f"{path} {name}".strip())
            return
        text = data[path]
        usage = " ".join(command.get_help(ctx).split("\n\n")[0].removeprefix("usage: ").split())
        found.append(Entry(path, usage, text["old"], now(path, text["new"]), tuple(text["kubectl"])))

    tree = root()
    walk(tree, click.Context(tree, info_name="sds"), "")
    return found


def now(path: str, new: str) -> str:
    """What the verb does now; of a verb that nobody has written yet, what to do instead."""
    if path in HOOKS:
        return new
    return f"Not available on Kubernetes yet. Instead: {INSTEAD.get(path) or INSTEAD[path.split()[0]]}."


def show(options: Options, *, words: tuple[str, ...]) -> int:
    """One verb, a group of verbs, or all of them."""
    wanted = " ".join(words)
    chosen = [e for e in entries() if not wanted or e.verb == wanted or e.verb.startswith(f"{wanted} ")]
    if not chosen:
        raise UsageError(f'no verb is called "{wanted}"; {unknown(wanted, [e.verb for e in entries()])}')
    if options.output == "json":
        click.echo(json.dumps({"version": 1, "verbs": [asdict(e) for e in chosen]}, indent=2))
        return 0
    click.echo("\n\n".join(_text(e) for e in chosen))
    return 0


def _text(entry: Entry) -> str:
    lines = [entry.usage]
    for title, text in (("before", entry.old), ("now", entry.new)):
        lines.append(click.wrap_text(text, 100, f"  {title:<8} ", " " * 11))
    for i, command in enumerate(entry.kubectl):
        lines.append(f"  {'kubectl' if i == 0 else '':<8} {command}")
    return "\n".join(lines)
