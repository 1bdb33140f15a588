"""`lab` of `sdsk8s`: a real Kubernetes on this machine."""

from __future__ import annotations

import click

from sdsk8s.cli.end import end
from sdsk8s.console.console import Console
from sdsk8s.verbs import lab_files

name_option = click.option("--name", default="default", show_default=True, help="Which lab.")
output_option = click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """A real Kubernetes on this machine: nodes in network namespaces, registry, dockerd, DNS, claims."""


@lab.command()
@name_option
@click.option(
    "--nodes",
    type=click.IntRange(1, 9),
    default=None,
    help="Number of nodes; default: as before, or 2 (1 on a small machine).",
)
def up(name: str, nodes: int | None) -> None:
    """Bring the lab up, whatever state it is in. Twice is fine."""
    from sdsk8s.verbs import lab as verb

    verb.up(Console(), name, nodes)


@lab.command()
@name_option
@click.option("--purge", is_flag=True, help="Also delete the state: objects, volumes, images, certificates.")
def down(name: str, purge: bool) -> None:
    """Stop the lab and leave nothing of it running. Its state stays, unless --purge."""
    from sdsk8s.verbs import lab as verb

    verb.down(Console(), name, purge=purge)


@lab.command()
@name_option
@output_option
def status(name: str, output: str) -> None:
    """Parts of the lab: state, pid, uptime. Exit code 0 when all run, 3 when some do, 1 when it is down."""
    from sdsk8s.verbs import lab as verb

    end(verb.status(Console(), name, json=output == "json"))


@lab.command()
@name_option
@click.option("--raw", is_flag=True, help="Print the content instead of the path.")
def kubeconfig(name: str, raw: bool) -> None:
    """Print the path of the lab's kubeconfig."""
    lab_files.kubeconfig(Console(), name, raw=raw)


@lab.command()
@name_option
@click.option("-f", "--follow", is_flag=True, help="Keep printing until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True)
@click.argument("part")
def logs(name: str, part: str, follow: bool, lines: int) -> None:
    """Print the log of a part (names: sdsk8s lab status)."""
    lab_files.logs(Console(), name, part, lines=lines, follow=follow)
