"""`env`, `output` and the context managers that change them for a while.

Both are dictionaries with attributes, as Fabric 1 had them. Each thread of a parallel task sees its own copy.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any

_GROUPS = {
    "output": ("stdout", "stderr"),
    "commands": ("stdout", "running"),
    "everything": ("warnings", "running", "user", "stdout", "stderr"),
}


class Fields(MutableMapping[str, Any]):
    """A dictionary with attributes. What it holds belongs to the current thread or context."""

    def __init__(self, name: str, start: Callable[[], dict[str, Any]]) -> None:
        self.__dict__["_start"] = start
        self.__dict__["_held"] = ContextVar(name)

    def _values(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._held.get()
        except LookupError:
            found = self._start()
            self._held.set(found)
        return found

    def own(self) -> None:
        """From here on this context changes a copy of its own."""
        self._held.set(dict(self._values()))

    def reset(self) -> None:
        """Reset to the initial values."""
        self._held.set(self._start())

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values()[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __getattr__(self, key: str) -> Any:
        try:
            return self._values()[key]
        except KeyError:
            raise AttributeError(f"env has no {key}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self._values()[key] = value

    def first(self, *names: str) -> Any:
        """The first of these that is set and not empty, else None."""
        return next((self[n] for n in names if self.get(n)), None)


def _start_env() -> dict[str, Any]:
    return {
        "host_string": None,
        "host": None,
        "user": None,
        "port": None,
        "command": None,
        "hosts": [],
        "roles": [],
        "all_hosts": [],
        "effective_roles": [],
        "exclude_hosts": [],
        "roledefs": {},
        "passwords": {},
        "password": None,
        "key_filename": None,
        "parallel": False,
        "pool_size": 0,
        "warn_only": False,
        "skip_bad_hosts": False,
        "abort_on_prompts": False,
        "combine_stderr": True,
        "timeout": 60,
        "command_timeout": None,
        "shell": None,
        "use_shell": True,
        "cwd": "",
        "lcwd": "",
        "path": "",
        "path_behavior": "append",
        "command_prefixes": [],
        "shell_env": {},
        "real_fabfile": None,
        "fabfile": None,
        "tasks": [],
        "abort_exception": None,
        "output_prefix": True,
        "always_use_pty": True,
        "sudo_prefix": "sudo -n",
    }


def _start_output() -> dict[str, Any]:
    shown = ("status", "aborts", "warnings", "running", "stdout", "stderr", "user")
    return {**dict.fromkeys(shown, True), "debug": False}


env = Fields("env", _start_env)
output = Fields("output", _start_output)


@contextmanager
def settings(*managers: Any, **values: Any) -> Iterator[None]:
    """Values of env for a while; other context managers may be given before them."""
    clean = values.pop("clean_revert", False)
    with ExitStack() as stack:
        for manager in managers:
            stack.enter_context(manager)
        before = {k: env[k] for k in values if k in env}
        env.update(values)
        try:
            yield
        finally:
            for k, v in values.items():
                if clean and env.get(k) != v:
                    continue  # changed inside, and the caller wants to keep that
                if k in before:
                    env[k] = before[k]
                else:
                    env.pop(k, None)


def _levels(groups: tuple[str, ...]) -> set[str]:
    return {level for g in groups for level in _GROUPS.get(g, (g,))}


@contextmanager
def _shown(groups: tuple[str, ...], on: bool) -> Iterator[None]:
    levels = _levels(groups)
    before = {k: output.get(k, True) for k in levels}
    output.update(dict.fromkeys(levels, on))
    try:
        yield
    finally:
        output.update(before)


def hide(*groups: str) -> Any:
    """Do not print these groups of output for a while."""
    return _shown(groups, False)


def show(*groups: str) -> Any:
    """Print these groups of output for a while."""
    return _shown(groups, True)


def quiet() -> Any:
    """Print nothing, and failures only warn."""
    return settings(hide("everything"), warn_only=True)


def warn_only() -> Any:
    """A failing command does not end the run."""
    return settings(warn_only=True)


def cd(path: str) -> Any:
    """The working folder of remote commands for a while."""
    return settings(cwd=_joined(env.cwd, str(path)))


def lcd(path: str) -> Any:
    """The working folder of local commands and local files for a while."""
    return settings(lcwd=_joined(env.lcwd, str(path)))


def _joined(before: str, path: str) -> str:
    path = path.replace(" ", r"\ ")
    return path if path.startswith(("/", "~")) or not before else posixpath.join(before, path)


def prefix(command: str) -> Any:
    """A command before every other one, joined by &&, for a while."""
    return settings(command_prefixes=[*env.command_prefixes, command])


def path(path: str, behavior: str = "append") -> Any:
    """A folder of the search path for a while: append, prepend or replace."""
    return settings(path=path, path_behavior=behavior)


def shell_env(**values: str) -> Any:
    """Environment variables of commands for a while."""
    return settings(shell_env={**env.shell_env, **values})
