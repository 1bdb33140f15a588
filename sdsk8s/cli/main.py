"""The `sdsk8s` command. Sub-commands are imported when they are called, so that help stays fast."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from sdsk8s import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "configure": ("sdsk8s.cli.configure:configure", "Write the site's configuration: asked, or from a file."),
    "config": ("sdsk8s.cli.configure:config", "Check the site's configuration; each oddity with its line."),
    "files": ("sdsk8s.cli.files:files", "Compare the site's templates with the shipped ones, and merge newer ones in."),
    "start": ("sdsk8s.cli.verbs:start", "Start components: apply what is missing, restore replicas, wait."),
    "stop": ("sdsk8s.cli.verbs:stop", "Drain and stop components; data and recorded replicas stay."),
    "reset": ("sdsk8s.cli.verbs:reset", "Stop, clear queues and state, start."),
    "update": ("sdsk8s.cli.verbs:update", "New images and configuration from the site's tree, rolled out."),
    "ship": ("sdsk8s.cli.ship:command", "Bundles of queues to the registry or a bucket; workers roll to them."),
    "redeploy": ("sdsk8s.cli.rollout_verbs:redeploy", "New pods from what the tags mean now."),
    "restart": ("sdsk8s.cli.rollout_verbs:restart", "New pods of a component or of one workload; siblings stay."),
    "undo": ("sdsk8s.cli.rollout_verbs:undo", "Back to an earlier revision: images and configuration together."),
    "history": ("sdsk8s.cli.rollout_verbs:history", "What was rolled out, by whom, when and why."),
    "status": ("sdsk8s.cli.status:status", "What runs, where, since when; stores asked by their protocols."),
    "logs": ("sdsk8s.cli.logs:logs", "Logs of all pods of a component or workload."),
    "images": ("sdsk8s.cli.image_verbs:images", "Build, push, list and audit the site's images."),
    "cp": ("sdsk8s.cli.cp:cp", "Copy files and trees to and from pods: verified, only what differs."),
    "registry": ("sdsk8s.cli.registry:registry", "Registry credentials of the namespace: login, logout, ls."),
    "render": ("sdsk8s.cli.render:render", "Print the objects that would be applied."),
    "lint": ("sdsk8s.cli.lint:lint", "Find mistakes in manifests and Dockerfiles before anything is applied."),
    "components": ("sdsk8s.cli.render:components", "List the catalogue."),
    "assess": ("sdsk8s.cli.assess:assess", "What an old site holds, and what each part becomes."),
    "doctor": ("sdsk8s.cli.doctor:doctor", "Check cluster, registry and permissions; each fault with its cure."),
    "runs": ("sdsk8s.cli.runs:runs", "List and show past runs."),
    "lock": ("sdsk8s.cli.runs:lock", "Show or release the site's lock."),
    "completion": ("sdsk8s.cli.completion:completion", "Completion script for bash, zsh or fish."),
    "lab": ("sdsk8s.cli.lab:lab", "A real Kubernetes on this machine."),
}


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
            from sdsk8s.model.names import unknown

            raise click.UsageError(f'no verb is called "{name}"; {unknown(name, COMMANDS)}', ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sdsk8s")
def cli() -> None:
    """The sds verbs on Kubernetes, and the modern ones around them."""


def main(argv: list[str] | None = None) -> None:
    """Entry point: errors of ours become lines on stderr and their exit code."""
    sys.exit(guarded(lambda: cli.main(args=argv, prog_name="sdsk8s", standalone_mode=False)))


def guarded(call: Any) -> int:
    """Run a click command; return the exit code."""
    from sdsk8s.errors import SdsError

    try:
        result = call()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as err:
        return err.exit_code
    except click.Abort:
        click.echo("aborted", err=True)
        return 130
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except SdsError as err:
        for line in err.lines():
            click.echo(line, err=True)
        return err.exit_code
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
