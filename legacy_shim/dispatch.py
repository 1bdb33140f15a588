"""What follows a command line that was understood: shared options, refusals, and the verb's function."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from legacy_shim.grammar import Verb
from legacy_shim.reader import Line
from legacy_shim.table import TYPES
from sdsk8s.console import debug
from sdsk8s.console.ends import exit_code
from sdsk8s.errors import RefusedError
from sdsk8s.verbs.options import Options, from_environment

SHARED = ("debug", "dry_run", "print_kubectl", "output")
EXIT_CODES = (0, 1, 2)
"""What scripts around the legacy tool know; partly done, refused and interrupted are failures to them."""


def run(line: Line) -> int:
    """Do what the line says; errors become lines on stderr. The exit code is one of EXIT_CODES."""
    code = exit_code(lambda: _call(line))
    return code if code in EXIT_CODES else 1


def load(verb: Verb) -> Callable[..., int]:
    """The function that does the verb."""
    module, _, function = verb.where.partition(":")
    found: Callable[..., int] = getattr(importlib.import_module(f"legacy_shim.{module}"), function)
    return found


def _call(line: Line) -> int:
    values = dict(line.values)
    _refuse_type(line.path, values.pop("kind", TYPES[0]))
    options = _options(values)
    if (options.dry_run or options.print_kubectl) and not (line.verb.plans or line.verb.reads):
        raise RefusedError(
            f"sds {line.path} does not support a dry run", next="unset SDS_DRY_RUN and SDS_PRINT_KUBECTL"
        )
    return load(line.verb)(options, **values)


def _options(values: dict[str, Any]) -> Options:
    """Takes the shared options out of the values; what has no letter here comes from the SDS_* variables."""
    typed = {name: values.pop(name) for name in SHARED if name in values}
    options = from_environment(os.environ, yes=values.pop("force", False), **typed)
    if options.debug:
        debug.start()
    return options


def _refuse_type(path: str, kind: str) -> None:
    """Only one type was ever implemented; the legacy tool said so for the other one as well, with exit code 1."""
    if kind != TYPES[0]:
        raise RefusedError(
            f"{path} is not implemented for the type {kind}", next=f"run the same command without -t {kind}"
        )
