"""Packages whose loading waits until something of them is used: what a library needs for one case in a hundred."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec, module_from_spec
from typing import Any

_LOADING = threading.RLock()


def defer(name: str) -> None:
    """Put the package `name` in place. Its `__init__` runs when something is asked of it that it does not have yet.

    Its modules can be imported before that, by their full names. (importlib's own LazyLoader loads a package for
    those.) One that is loaded already stays as it is; one that is not installed is left to its importers.
    """
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    module, loader = module_from_spec(spec), spec.loader

    def wanted(attribute: str) -> Any:
        with _LOADING:
            if module.__dict__.pop("__getattr__", None):
                loader.exec_module(module)
        try:
            return module.__dict__[attribute]
        except KeyError:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}") from None

    module.__dict__["__getattr__"] = wanted
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
