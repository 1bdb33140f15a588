"""`sdsk8s lab`: a real Kubernetes on this machine."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sdsk8s.lab.plan import Lab

name_option = click.option("--name", default="default", show_default=True, help="Which lab.")
output_option = click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """A real Kubernetes on this machine: nodes in network namespaces, registry, dockerd, DNS, claims."""


def progress() -> Callable[[str], None]:
    """Prints lines on stderr, each with the seconds since the command began."""
    begun = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - begun:6.1f} s] {text}", err=True)

    return say


@lab.command()
@name_option
@click.option(
    "--nodes",
    type=click.IntRange(1, 9),
    default=None,
    help="Nodes; by default as before, or 2 (1 on a small machine).",
)
def up(name: str, nodes: int | None) -> None:
    """Bring the lab up, whatever state it is in. Twice is fine."""
    from sdsk8s.lab import lifecycle, tools

    made = lifecycle.up(name, nodes, progress())
    option = "" if name == "default" else f" --name {name}"
    click.echo(f"""lab {made.name}: {made.node_count} node{"s" if made.node_count > 1 else ""}
  kubeconfig  {made.kubeconfig}
  API server  {made.server}
  registry    {made.registry}
  docker      unix://{made.docker_socket}
try:
  export KUBECONFIG=$(sdsk8s lab kubeconfig{option}) PATH={tools.folder()}:$PATH
  kubectl get nodes,storageclass
  sdsk8s lab status{option}""")


@lab.command()
@name_option
@click.option("--purge", is_flag=True, help="Drop the state as well: objects, volumes, images, certificates.")
def down(name: str, purge: bool) -> None:
    """Stop the lab and leave nothing of it running. Its state stays, unless --purge."""
    from sdsk8s.lab import lifecycle

    known = lifecycle.down(name, purge, progress())
    kept = "its state is dropped" if purge else "its state is kept"
    click.echo(f"lab {name} is down, {kept}" if known else f"there is no lab {name}; nothing of it is left")


@lab.command()
@name_option
@output_option
@click.pass_context
def status(ctx: click.Context, name: str, output: str) -> None:
    """Parts of the lab: state, pid, uptime. Exit code 0 when all run, 3 when some do, 1 when it is down."""
    from sdsk8s.lab import lifecycle

    found = lifecycle.status(name)
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    else:
        print_status(found)
    ctx.exit({"up": 0, "partly": 3}.get(found["state"], 1))


def print_status(found: dict[str, Any]) -> None:
    click.echo(f"lab {found['lab']}: {found['state']}")
    for name in ("api", "registry", "docker", "kubeconfig"):
        click.echo(f"  {name:<11} {found[name]}")
    for node in found["nodes"]:
        click.echo(f"  {node['name']:<11} {node['address']}  {'Ready' if node['ready'] else 'NotReady'}")
    if found["parts"]:
        click.echo(f"{'PART':<20} {'STATE':<9} {'PID':>7} {'UPTIME':>9}")
    for part in found["parts"]:
        click.echo(f"{part['part']:<20} {part['state']:<9} {part['pid'] or '-':>7} {clock(part['uptime']):>9}")


def clock(seconds: int) -> str:
    """Seconds as h:mm:ss."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


@lab.command()
@name_option
@click.option("--raw", is_flag=True, help="Print the content instead of the path.")
def kubeconfig(name: str, raw: bool) -> None:
    """Print the path of the lab's kubeconfig."""
    made = known(name)
    click.echo(read(made.kubeconfig) if raw else str(made.kubeconfig), nl=not raw)


@lab.command()
@name_option
@click.option("-f", "--follow", is_flag=True, help="Go on printing until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True)
@click.argument("part")
def logs(name: str, part: str, follow: bool, lines: int) -> None:
    """Print the log of a part (names: sdsk8s lab status)."""
    from sdsk8s.errors import RefusedError, UsageError

    made = known(name)
    if not os.access(made.logs, os.R_OK):
        raise RefusedError("the logs belong to root", target=str(made.logs), next="sudo sdsk8s lab logs " + part)
    parts = sorted(file.stem for file in made.logs.glob("*.log"))
    if part not in parts:
        raise UsageError(
            f'lab {name} has no part "{part}"', words="parts: " + " ".join(parts), next="sdsk8s lab status"
        )
    show(made.logs / f"{part}.log", lines, follow)


def show(file: Path, lines: int, follow: bool) -> None:
    """The last lines of a file; with `follow` what is written from then on, across rotations."""
    with file.open(errors="replace") as handle:
        last = handle.readlines()[-lines:] if lines else handle.readlines()[:0]
        sys.stdout.writelines(last)
        inode = file.stat().st_ino
        while follow:
            sys.stdout.write(handle.read())
            sys.stdout.flush()
            time.sleep(0.2)
            if file.exists() and file.stat().st_ino != inode:
                sys.stdout.write(handle.read())
                return show(file, 10_000, follow)


def known(name: str) -> Lab:
    from sdsk8s.lab import plan, record

    return record.load(plan.STATE_ROOT / plan.check_name(name))


def read(file: Path) -> str:
    from sdsk8s.errors import RefusedError

    try:
        return file.read_text()
    except OSError as err:
        raise RefusedError(
            "the kubeconfig cannot be read", target=str(file), words=str(err), next="sdsk8s lab up"
        ) from err
