"""Packages whose loading waits until something of them is used: what a library needs for one case in a hundred."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
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


def undefer(name: str) -> None:
    """Load the package now, whole: a library that imports its modules one by one may run into their circles."""
    getattr(import_module(name), "_", None)  # asking for what it does not have runs its `__init__`


def later(module: str, name: str) -> Callable[..., Any]:
    """A function that stands for a function or class of a module, which is loaded by the first call."""

    def call(*args: Any, **kw: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kw)

    return call


class _StandIn(ModuleType):
    """In place of a module while another one imports it; what is asked of it afterwards comes from the real one."""

    def __init__(self, name: str, functions: Mapping[str, Callable[..., Any]], load: Sequence[str]) -> None:
        super().__init__(name)
        self.__dict__.update(functions, _load=load)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        for name in self.__dict__["_load"]:
            import_module(name)
        return getattr(import_module(self.__name__), attribute)


@contextmanager
def stand_ins(*groups: Mapping[str, Mapping[str, Callable[..., Any]]]) -> Iterator[None]:
    """While it lasts, imports of these modules load nothing. A group that has been loaded already stays as it is.

    groups: {module: {name: what stands for a function or class of it that importers take by name}}; whatever else is
    asked of it loads the real one. Nothing of this is seen by what is imported afterwards.
    """
    placed: list[str] = []
    for group in groups:
        if not any(name in sys.modules for name in group):
            placed += group
            sys.modules.update({name: _StandIn(name, functions, list(group)) for name, functions in group.items()})
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]
