"""click commands that read their words with argparse, the parser of the legacy tool.

So shortened long options, bundled flags, greedy optional values, options before and after positionals, the order in
which faults are found, usage lines and help are the legacy tool's by construction. click keeps the tree, the
callbacks and shell completion.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any

import click

from legacy_shim.reader import Reader, add_verbs

TYPES = ("hysds", "sdskit")
"""Plug-in types of the legacy tool. Only the first one was ever implemented."""

HELP = {"help_option_names": ["-h", "--help"]}
UNKNOWN = "sds.unknown"
"""Key of the words that no parser of the command line knew; argparse complains about them last."""


class OptionalValue(click.Option):
    """An option whose value may be left out: it is then its default. Greedy, as it was: the next word is the value."""


class Added(click.Option):
    """An option that the legacy tool did not have: it must be typed in full, so that no old abbreviation breaks."""


class Verb(click.Command):
    """A verb without sub-verbs."""

    def __init__(self, name: str, **kw: Any) -> None:
        kw.setdefault("context_settings", HELP)
        super().__init__(name, **kw)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # shell completion
            return super().parse_args(ctx, args)
        values, unknown = _ended(lambda: reader(self, ctx).parse_known_args(args))
        unknown = [*ctx.meta.get(UNKNOWN, []), *unknown]
        if unknown:
            _unrecognized(self, ctx, unknown)
        ctx.params = {p.name: getattr(values, p.name) for p in self.params if p.name}
        return []

    def get_help(self, ctx: click.Context) -> str:
        return reader(self, ctx).format_help().rstrip()


class VerbGroup(click.Group):
    """A verb with sub-verbs; needs_verb: to leave the sub-verb out is an error."""

    def __init__(self, name: str, verbs: Iterable[click.Command] = (), *, needs_verb: bool = True, **kw: Any) -> None:
        kw.setdefault("context_settings", HELP)
        kw.setdefault("no_args_is_help", False)
        super().__init__(name, commands={v.name or "": v for v in verbs}, **kw)
        self.needs_verb = needs_verb

    def helps(self, ctx: click.Context) -> list[tuple[str, str]]:
        """Names and one-line helps of the sub-verbs."""
        return [(name, self.commands[name].help or "") for name in self.commands]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        values, unknown = _ended(lambda: reader(self, ctx).parse_known_args(args))
        unknown = [*ctx.meta.get(UNKNOWN, []), *unknown]
        ctx.params = {p.name: getattr(values, p.name) for p in self.params if p.name}
        if values.verb:
            ctx.meta[UNKNOWN] = unknown
            return super().parse_args(ctx, ["--", values.verb, *values.rest])
        if unknown:
            _unrecognized(self, ctx, unknown)
        click.echo(ctx.find_root().get_help(), err=True)
        raise click.exceptions.Exit(1)

    def get_help(self, ctx: click.Context) -> str:
        return reader(self, ctx).format_help().rstrip()


def reader(command: click.Command, ctx: click.Context) -> Reader:
    """The argparse parser of one level of the tree."""
    parser = Reader(prog=ctx.command_path, description=command.help)
    for param in command.params:
        _add(parser, param)
    if isinstance(command, VerbGroup):
        add_verbs(parser, command.helps(ctx), required=command.needs_verb)
    return parser


def _add(parser: Reader, param: click.Parameter) -> None:
    kw: dict[str, Any] = {"default": param.default if isinstance(param.default, (str, bool, float)) else None}
    if isinstance(param.type, click.Choice):
        kw["choices"] = list(param.type.choices)
    if isinstance(param, click.Argument):
        if param.nargs == -1:
            kw = {"nargs": argparse.REMAINDER if param.type is click.UNPROCESSED else "*"}
        elif not param.required:
            kw["nargs"] = "?"
        parser.add_argument(str(param.name), **kw)
        return
    assert isinstance(param, click.Option)
    # argparse names an option by its first spelling, and the legacy tool gave the long one first.
    names = sorted(param.opts, key=len, reverse=True)
    if param.is_flag:
        kw = {"action": "store_true"}
    elif isinstance(param, OptionalValue):
        kw |= {"nargs": "?", "const": param.default}
    elif isinstance(param.type, click.types.FloatParamType):
        kw["type"] = float
    if param.multiple:
        kw |= {"action": "append", "default": None}
    if not param.is_flag and "choices" not in kw and param.metavar:
        kw["metavar"] = param.metavar
    action = parser.add_argument(*names, dest=str(param.name), help=param.help, **kw)
    if isinstance(param, Added):
        parser.added.append(action)


def _unrecognized(command: click.Command, ctx: click.Context, words: list[str]) -> None:
    _ended(lambda: reader(command, ctx).error(f"unrecognized arguments: {' '.join(words)}"))


def _ended(call: Any) -> Any:
    """The result of the call; an exit of argparse (help, or a fault that it has printed) as click's."""
    try:
        return call()
    except SystemExit as end:
        sys.stdout.flush()
        raise click.exceptions.Exit(int(end.code or 0)) from None


def type_option() -> click.Option:
    """-t/--type with an optional value: in `-t WORD` the word is the type."""
    return OptionalValue(
        ["-t", "--type", "kind"], type=click.Choice(TYPES), default=TYPES[0], help="kind of system; may be left out"
    )


def type_argument() -> click.Argument:
    """The positional form of `configure` and `ship`."""
    return click.Argument(["kind"], type=click.Choice(TYPES), required=False, default=TYPES[0])


def flag(short: str, long: str, name: str, help: str) -> click.Option:
    return click.Option([*([short] if short else []), long, name], is_flag=True, help=help)


def value(short: str, long: str, name: str, help: str, **kw: Any) -> click.Option:
    return click.Option([*([short] if short else []), long, name], help=help, **kw)


def force_option() -> click.Option:
    return flag("-f", "--force", "force", "do not ask")


def argument(name: str, choices: Iterable[str] = (), **kw: Any) -> click.Argument:
    """A positional; with choices, one of them."""
    words = list(choices)
    if words:
        kw["type"] = click.Choice(words)
    return click.Argument([name], **kw)
