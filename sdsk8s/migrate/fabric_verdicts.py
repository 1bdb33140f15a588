"""What every primitive and every task of the legacy Fabric file means now: mapped, changed, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, NoReturn

import yaml

from sdsk8s.errors import RefusedError

_ACTIVATE = re.compile(r"^\s*(source|\.)\s+\S+/bin/activate\s*$")


@dataclass(frozen=True)
class Verdict:
    """verdict: mapped (same meaning), changed (works, with a visible difference), refused (instead says what to do)."""

    name: str
    verdict: Literal["mapped", "changed", "refused"]
    now: str


@cache
def table() -> dict[str, dict[str, Verdict]]:
    """{"primitives" | "tasks": {name: Verdict}}, in the order of the file."""
    text = resources.files("sdsk8s.migrate").joinpath("fabric_verdicts.yaml").read_text()
    return {
        kind: {
            name: Verdict(name, verdict, now)
            for verdict in ("mapped", "changed", "refused")
            for name, now in (groups.get(verdict) or {}).items()
        }
        for kind, groups in yaml.safe_load(text).items()
    }


def refused(name: str) -> Callable[..., NoReturn]:
    """A function that says why the task is refused, and what to do instead."""
    verdict = table()["tasks"][name]

    def call(*args: Any, **kw: Any) -> NoReturn:
        raise RefusedError(f"{name} has no counterpart on Kubernetes", next=verdict.now)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Refused: {verdict.now}."
    call.hostless = True  # type: ignore[attr-defined]
    return call


def is_activation(command: str) -> bool:
    """Is this the line that makes a virtual environment active? In a pod the image's always is."""
    return bool(_ACTIVATE.match(command))


def as_markdown() -> str:
    """The page docs/reference/fabric-verdicts.md."""
    lines = [
        "# Legacy Fabric files: what each name means now",
        "",
        "Made by `python -m sdsk8s.migrate.fabric_verdicts`; `sds fab --verdicts` prints the same.",
    ]
    for kind, entries in table().items():
        lines += ["", f"## {kind.capitalize()}", "", "| name | verdict | now |", "|---|---|---|"]
        lines += [f"| `{v.name}` | {v.verdict} | {v.now} |" for v in entries.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
