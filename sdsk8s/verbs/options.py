"""Options that the verbs share, as plain data: what was typed, then the SDS_* variable, then site.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sdsk8s.errors import UsageError

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
TRUE, FALSE = ("1", "true", "t", "yes", "y", "on"), ("0", "false", "f", "no", "n", "off")
"""What a variable of a yes-or-no option may hold, in any case: the words that click takes."""


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

    @property
    def json(self) -> bool:
        """True when the result is printed as JSON."""
        return self.output == "json"


def from_environment(env: Mapping[str, str], **typed: Any) -> Options:
    """Options of a front end that has no letters for all of them: what was typed, else the SDS_* variable.

    UsageError when a variable does not hold what its option takes.
    """
    values: dict[str, Any] = {name: env[twin] for name, twin in TWINS.items() if env.get(twin)}
    for name, twin in TWINS.items():
        kind = type(getattr(Options, name))
        if name in values and kind in (bool, float):
            values[name] = _converted(twin, values[name], kind)
    if values.get("output", "text") not in OUTPUTS:
        raise UsageError(f"SDS_OUTPUT: expected one of {', '.join(OUTPUTS)}, got {values['output']}")
    return Options(**{**values, **{name: value for name, value in typed.items() if value}})


def _converted(twin: str, text: str, kind: type) -> bool | float:
    if kind is bool:
        word = text.strip().lower()
        if word not in (*TRUE, *FALSE):
            raise UsageError(f'{twin}: expected true or false, got "{text}"')
        return word in TRUE
    try:
        return float(text)
    except ValueError:
        raise UsageError(f'{twin}: expected a number, got "{text}"') from None
