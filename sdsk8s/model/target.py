"""What a verb is aimed at: `COMPONENT`, `COMPONENT/WORKLOAD` or `COMPONENT/WORKLOAD:PROGRAM`; one grammar for all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sdsk8s.errors import UsageError

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_TARGET = re.compile(rf"({_NAME})(?:/({_NAME})(?::({_NAME}|\*))?)?")
ALL = "all"


@dataclass(frozen=True)
class Target:
    """component: its name, an alias, or `all`; workload and program are "" when the target is wider than that.

    program: a supervised program of the workload's pods, or `*` for every one of them.
    """

    component: str
    workload: str = ""
    program: str = ""

    @property
    def everything(self) -> bool:
        return self.component == ALL

    def __str__(self) -> str:
        text = self.component + (f"/{self.workload}" if self.workload else "")
        return text + (f":{self.program}" if self.program else "")


def parse_target(text: str) -> Target:
    """UsageError for anything that is not COMPONENT[/WORKLOAD[:PROGRAM]]; whether the names exist is not asked here."""
    found = _TARGET.fullmatch(text)
    if found is None:
        raise UsageError(f'invalid target "{text}"', words="expected COMPONENT[/WORKLOAD[:PROGRAM]] or all")
    component, workload, program = (part or "" for part in found.groups())
    if component == ALL and workload:
        raise UsageError(
            f'invalid target "{text}": `all` has no single workload', words="expected COMPONENT[/WORKLOAD[:PROGRAM]]"
        )
    return Target(component, workload, program)
