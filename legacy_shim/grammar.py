"""click classes that read a command line as argparse did.

Long options may be shortened while that is unambiguous, a value-less `-t` is the default type, a missing sub-verb is an
error. Nothing here imports more than click, so that `sds -h` is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import click

TYPES = ("hysds", "sdskit")
"""Plug-in types of the legacy tool. Only the first one was ever implemented."""

HELP = {"help_option_names": ["-h", "--help"]}


class Verb(click.Command):
    """A verb with its options before or after the positionals, and shortened long options."""

    def __init__(self, name: str, **kw: Any) -> None:
        kw.setdefault("context_settings", HELP)
        super().__init__(name, **kw)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, lengthen(self, ctx, args))
        except click.UsageError as err:
            err.ctx = err.ctx or ctx  # click leaves it out for some; without it no usage line is printed
            raise


class VerbGroup(click.Group):
    """A verb that needs a sub-verb."""

    def __init__(self, name: str, verbs: Iterable[click.Command] = (), **kw: Any) -> None:
        kw.setdefault("context_settings", HELP)
        kw.setdefault("no_args_is_help", False)
        super().__init__(name, commands={v.name or "": v for v in verbs}, **kw)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, lengthen(self, ctx, args, self.list_commands(ctx)))


def lengthen(command: click.Command, ctx: click.Context, args: list[str], stop: Collection[str] = ()) -> list[str]:
    """The arguments with shortened long options written out; from a word of `stop` on they belong to a sub-verb."""
    known = sorted({o for p in command.get_params(ctx) for o in p.opts if o.startswith("--")})
    out: list[str] = []
    for i, arg in enumerate(args):
        if arg == "--" or arg in stop:
            return [*out, *args[i:]]
        name, equals, value = arg.partition("=")
        if name.startswith("--") and len(name) > 2 and name not in known:
            hits = [o for o in known if o.startswith(name)]
            if len(hits) > 1:
                raise click.UsageError(f"ambiguous option: {name} could match {', '.join(hits)}", ctx)
            name = hits[0] if hits else name
        elif name == "-t" and equals:
            # argparse took `-t=hysds`; click would read a value that begins with "=".
            name, equals = "--type", "="
        out.append(name + equals + value)
    return out


def type_option() -> click.Option:
    """-t/--type with an optional value. Greedy, as it was: in `-t WORD` the word is the type."""
    return click.Option(
        ["-t", "--type", "kind"], type=click.Choice(TYPES), is_flag=False, flag_value=TYPES[0], default=TYPES[0],
        metavar="[hysds|sdskit]", help="Kind of system; the value may be left out.",
    )  # fmt: skip


def type_argument() -> click.Argument:
    """The positional form of `configure` and `ship`."""
    return click.Argument(["kind"], type=click.Choice(TYPES), required=False, default=TYPES[0])


def flag(short: str, long: str, name: str, help: str) -> click.Option:
    return click.Option([*([short] if short else []), long, name], is_flag=True, help=help)


def value(short: str, long: str, name: str, help: str, **kw: Any) -> click.Option:
    return click.Option([*([short] if short else []), long, name], help=help, **kw)


def force_option() -> click.Option:
    return flag("-f", "--force", "force", "Do not ask.")


def debug_option() -> click.Option:
    return flag("-d", "--debug", "debug", "Tell more on stderr.")


def argument(name: str, choices: Iterable[str] = (), **kw: Any) -> click.Argument:
    """A positional; with choices, one of them."""
    words = list(choices)
    if words:
        kw["type"] = click.Choice(words)
    return click.Argument([name], **kw)


Call = Callable[..., int]
"""Body of a verb: gets the parsed values by name, returns the exit code."""
