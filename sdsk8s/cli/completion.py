"""`completion` of `sdsk8s`."""

from __future__ import annotations

import click

from sdsk8s.verbs.completion import SHELLS, script


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script for SHELL: `source <(sdsk8s completion bash)`."""
    click.echo(script("sdsk8s", shell))
