"""The parser of the `sdsk8s` command. Verbs are imported when they are called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from sdsk8s import __version__
from sdsk8s.cli.commands import COMMANDS, help_text
from sdsk8s.console.ends import exit_code
from sdsk8s.model.names import unknown


class LazyGroup(click.Group):
    """Knows names and one-line helps without importing the commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            raise click.UsageError(f'no verb is called "{name}"; {unknown(name, COMMANDS)}', ctx)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        return help_text().rstrip("\n")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sdsk8s")
def cli() -> None:
    """The sds verbs on Kubernetes, and more."""


def run(argv: list[str] | None) -> int:
    """Parse and do; errors become lines on stderr. Returns the exit code."""
    return exit_code(lambda: cli.main(args=argv, prog_name="sdsk8s", standalone_mode=False))
