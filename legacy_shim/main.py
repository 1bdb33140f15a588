"""The `sds` command. Verbs are built when they are typed, so that `sds -h` imports click and nothing else."""

from __future__ import annotations

import importlib
import sys

import click

from legacy_shim.grammar import VerbGroup, debug_option

VERBS: dict[str, tuple[str, str]] = {
    "configure": ("refused:build", "Write the site's configuration (not on Kubernetes yet)."),
    "update": ("operations:update", "New images and configuration from the site's tree; stopped stays stopped."),
    "kibana": ("refused:build", "Import dashboards (not on Kubernetes yet)."),
    "ship": ("refused:build", "Ship worker bundles (not on Kubernetes yet)."),
    "start_tps": ("refused:build", "Start third-party services (not on Kubernetes yet)."),
    "stop_tps": ("refused:build", "Stop third-party services (not on Kubernetes yet)."),
    "start": ("operations:operation", "Start components and wait until they serve."),
    "stop": ("operations:operation", "Drain and stop components; data stays."),
    "reset": ("operations:operation", "Stop, clear queues and state, start."),
    "status": ("operations:status", "What runs, where, since when."),
    "ci": ("refused:build", "Continuous integration jobs (not on Kubernetes yet)."),
    "pkg": ("refused:build", "Packages of containers (not on Kubernetes yet)."),
    "cloud": ("refused:build", "Cloud resources (not on Kubernetes yet)."),
    "rules": ("refused:build", "User rules (not on Kubernetes yet)."),
    "job": ("refused:build", "Jobs (not on Kubernetes yet)."),
    "orch": ("refused:build", "Container orchestration by compose (not on Kubernetes yet)."),
}
EXIT_CODES = (0, 1, 2)
"""What scripts around the legacy tool know; partly done, refused and interrupted are failures to them."""


class Sds(VerbGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, factory = VERBS[cmd_name][0].partition(":")
        made: click.Command = getattr(importlib.import_module(f"legacy_shim.{module}"), factory)(
            cmd_name, VERBS[cmd_name][1]
        )
        return made

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


def _alone(debug: bool) -> int | None:
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is not None:
        return None
    click.echo(ctx.get_help(), err=True)
    return 1


cli = Sds(
    "sds",
    help="Operate a science data system. Its components run on Kubernetes; `sdsk8s` has the modern verbs.",
    params=[debug_option()],
    callback=_alone,
    invoke_without_command=True,
)


def run(argv: list[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    from sdsk8s.cli.main import guarded

    code = guarded(lambda: cli.main(args=argv, prog_name="sds", standalone_mode=False))
    return code if code in EXIT_CODES else 1


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
