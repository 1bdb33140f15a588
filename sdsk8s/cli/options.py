"""The shared options as click decorators; as data they are `sdsk8s.verbs.options.Options`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sdsk8s.console import debug

F = TypeVar("F", bound=Callable[..., Any])

home_option = click.option("--home", envvar="SDS_HOME", help="Site folder instead of ~/.sds.")
output_option = click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT")


def options(*several: Callable[[Any], Any]) -> Callable[[F], F]:
    """One decorator of several, in the order that --help shows."""

    def decorate(f: F) -> F:
        for option in reversed(several):
            f = option(f)
        return f

    return decorate


def _debug(context: click.Context, option: click.Parameter, value: bool) -> bool:
    if value:
        debug.start()
    return value


site_options = options(
    home_option,
    click.option("--context", envvar="SDS_CONTEXT", help="Kubeconfig context instead of the site's."),
    click.option("--kubeconfig", envvar="SDS_KUBECONFIG", help="Kubeconfig file instead of KUBECONFIG."),
    click.option("-n", "--namespace", envvar="SDS_NAMESPACE", help="Namespace instead of the site's."),
    click.option(
        "-o",
        "output",
        type=click.Choice(["text", "json"]),
        default="text",
        envvar="SDS_OUTPUT",
        help="Output form.",
        show_default=True,
    ),
    click.option(
        "-d",
        "--debug",
        is_flag=True,
        envvar="SDS_DEBUG",
        callback=_debug,
        help="Tell requests, retries, decisions and commands on stderr, without secrets.",
    ),
)
"""Where the site is, and the form of the result."""

run_options = options(
    click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Print the plan and stop."),
    click.option(
        "--print-kubectl",
        is_flag=True,
        envvar="SDS_PRINT_KUBECTL",
        help="Print the plan's kubectl commands and stop.",
    ),
    click.option("-f", "-y", "--force", "--yes", "yes", is_flag=True, envvar="SDS_YES", help="Do not ask."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=1),
        default=600,
        envvar="SDS_TIMEOUT",
        metavar="SECONDS",
        help="Longest wait for one workload.",
        show_default=True,
    ),
    click.option(
        "--lock-wait",
        type=float,
        default=0,
        envvar="SDS_LOCK_WAIT",
        metavar="SECONDS",
        help="How long to wait for another run's lock.",
    ),
)
"""How a plan is run."""
