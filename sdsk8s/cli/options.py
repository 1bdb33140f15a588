"""Options that the verbs share, and where their values come from: option, then SDS_* variable, then site.yaml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Options:
    """home, context, namespace: None means "as the site says"; timeout in seconds for each wait."""

    home: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    namespace: str | None = None
    output: str = "text"
    dry_run: bool = False
    yes: bool = False
    timeout: float = 600.0
    lock_wait: float = 0.0
    debug: bool = False


def site_options(f: F) -> F:
    """--home, --context, --kubeconfig, --namespace, -o."""
    for option in (
        click.option("-o", "output", type=click.Choice(["text", "json"]), default="text", envvar="SDS_OUTPUT",
                     help="Output form.", show_default=True),
        click.option("-n", "--namespace", envvar="SDS_NAMESPACE", help="Namespace instead of the site's."),
        click.option("--kubeconfig", envvar="SDS_KUBECONFIG", help="Kubeconfig file instead of KUBECONFIG."),
        click.option("--context", envvar="SDS_CONTEXT", help="Kubeconfig context instead of the site's."),
        click.option("--home", envvar="SDS_HOME", help="Site folder instead of ~/.sds."),
    ):  # fmt: skip
        f = option(f)
    return f


def run_options(f: F) -> F:
    """--dry-run, --yes, --timeout, --lock-wait."""
    for option in (
        click.option("--lock-wait", type=float, default=0, envvar="SDS_LOCK_WAIT", metavar="SECONDS",
                     help="Wait this long for another run to end."),
        click.option("--timeout", type=click.FloatRange(min=1), default=600, envvar="SDS_TIMEOUT", metavar="SECONDS",
                     help="Longest wait for one workload.", show_default=True),
        click.option("-f", "-y", "--force", "--yes", "yes", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Print the plan and stop."),
    ):  # fmt: skip
        f = option(f)
    return f
