"""Options that the verbs share, and where their values come from: option, then SDS_* variable, then site.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import click

TWINS = {
    "home": "SDS_HOME",
    "context": "SDS_CONTEXT",
    "kubeconfig": "SDS_KUBECONFIG",
    "namespace": "SDS_NAMESPACE",
    "output": "SDS_OUTPUT",
    "dry_run": "SDS_DRY_RUN",
    "yes": "SDS_YES",
    "timeout": "SDS_TIMEOUT",
    "lock_wait": "SDS_LOCK_WAIT",
    "debug": "SDS_DEBUG",
    "print_kubectl": "SDS_PRINT_KUBECTL",
}
"""The variable of each shared option."""
OUTPUTS = ("text", "json")

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
    print_kubectl: bool = False


def from_environment(env: Mapping[str, str], **typed: Any) -> Options:
    """Options of a front end that has no letters for all of them: what was typed, else the SDS_* variable."""
    values: dict[str, Any] = {name: env[twin] for name, twin in TWINS.items() if env.get(twin)}
    for name, twin in TWINS.items():
        kind = type(getattr(Options, name))
        if name in values and kind in (bool, float):
            values[name] = _converted(twin, values[name], kind)
    if values.get("output", "text") not in OUTPUTS:
        raise click.UsageError(f"SDS_OUTPUT is none of {', '.join(OUTPUTS)}: {values['output']}")
    return Options(**{**values, **{name: value for name, value in typed.items() if value}})


def _converted(twin: str, text: str, kind: type) -> bool | float:
    converter: Any = click.BOOL if kind is bool else click.FLOAT
    try:
        result: bool | float = converter.convert(text, None, None)
    except click.BadParameter as err:
        raise click.UsageError(f"{twin}: {err.message}") from None
    return result


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
    """--dry-run, --print-kubectl, --yes, --timeout, --lock-wait."""
    for option in (
        click.option("--lock-wait", type=float, default=0, envvar="SDS_LOCK_WAIT", metavar="SECONDS",
                     help="Wait this long for another run to end."),
        click.option("--timeout", type=click.FloatRange(min=1), default=600, envvar="SDS_TIMEOUT", metavar="SECONDS",
                     help="Longest wait for one workload.", show_default=True),
        click.option("-f", "-y", "--force", "--yes", "yes", is_flag=True, envvar="SDS_YES", help="Do not ask."),
        click.option("--print-kubectl", is_flag=True, envvar="SDS_PRINT_KUBECTL",
                     help="Print the plan's kubectl commands and stop."),
        click.option("--dry-run", is_flag=True, envvar="SDS_DRY_RUN", help="Print the plan and stop."),
    ):  # fmt: skip
        f = option(f)
    return f
