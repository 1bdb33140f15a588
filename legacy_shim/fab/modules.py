"""The modules that a legacy Fabric file imports, put where Python looks for them, in this process only.

Fabric 3 stays as it is installed: it has no `fabric.api`, so the names below are free, but for `fabric.tasks`, which it
has loaded for itself before ours takes the name.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable
from importlib import metadata
from types import ModuleType
from typing import Any

from legacy_shim.fab import builtin, contrib, operations, state, tasks
from sdsk8s.errors import SdsError

API: dict[str, Any] = {
    **{
        n: getattr(state, n)
        for n in (
            "cd",
            "env",
            "hide",
            "lcd",
            "output",
            "path",
            "prefix",
            "quiet",
            "settings",
            "shell_env",
            "show",
            "warn_only",
        )
    },
    **{
        n: getattr(operations, n)
        for n in (
            "abort",
            "fastprint",
            "get",
            "local",
            "open_shell",
            "prompt",
            "put",
            "puts",
            "reboot",
            "remote_tunnel",
            "require",
            "run",
            "sudo",
            "warn",
        )
    },
    **{
        n: getattr(tasks, n)
        for n in ("execute", "hosts", "parallel", "roles", "runs_once", "serial", "task", "with_settings")
    },
}
"""Everything of `fabric.api`."""
FILES = {
    n: getattr(contrib, n)
    for n in ("append", "comment", "contains", "exists", "first", "is_link", "sed", "uncomment", "upload_template")
}
PROJECT = {n: getattr(contrib, n) for n in ("rsync_project", "upload_project")}
COLORS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37}


def check_environment() -> None:
    """SdsError when fab-classic shares the environment: it installs a package named `fabric` over ours."""
    for name in ("fab-classic", "Fabric3"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        raise SdsError(
            f"{name} {version} is installed in the same environment and overwrites parts of the package fabric that "
            "sdsk8s needs",
            next=f"pip uninstall {name} && pip install --force-reinstall 'fabric>=3', or use a separate environment",
        )


def install(builtins: dict[str, Callable[..., Any]], context: dict[str, Any]) -> None:
    """Make the modules importable. builtins: tasks of the legacy module; context: the site's configuration."""
    check_environment()
    import sdsk8s.backends.ssh  # noqa: F401  loads Fabric 3 before one of its names is taken

    utils = {n: API[n] for n in ("abort", "warn", "puts", "fastprint")}
    shapes: dict[str, dict[str, Any]] = {
        "fabric.api": API,
        "fabric.state": {"env": state.env, "output": state.output},
        "fabric.operations": API,
        "fabric.context_managers": API,
        "fabric.decorators": API,
        "fabric.utils": utils,
        "fabric.tasks": {"Task": tasks.Task, "execute": tasks.execute},
        "fabric.colors": {n: _colour(code) for n, code in COLORS.items()},
        "fabric.contrib": {},
        "fabric.contrib.files": FILES,
        "fabric.contrib.project": PROJECT,
        "fabric.contrib.console": {"confirm": confirm},
    }
    logger = logging.getLogger("sds.fab")
    texts = {"highlight": lambda text, color="white", **_: text, "blink": lambda text, *_: text}
    star = {
        **API,
        **FILES,
        **PROJECT,
        **builtins,
        **texts,
        "context": context,
        "logger": logger,
        "ops_dir": context.get("OPS_HOME"),
        "get_user_files_path": builtin.get_user_files_path,
        "get_user_config_path": builtin.get_user_config_path,
    }
    shapes |= {
        "sdscli": {},
        "sdscli.adapters": {},
        "sdscli.adapters.hysds": {},
        "sdscli.adapters.hysds.fabfile": star,
        "sdscli.log_utils": {"logger": logger},
        "sdscli.prompt_utils": texts,
        "sdscli.conf_utils": {n: star[n] for n in ("get_user_files_path", "get_user_config_path")},
    }
    if importlib.util.find_spec("future") is None:
        # The legacy tool's own sample of a cluster.py begins with it; on Python 3 it has nothing to do.
        shapes["future"] = {"standard_library": _module("future.standard_library", {"install_aliases": lambda: None})}
        shapes["future.standard_library"] = {"install_aliases": lambda: None}
    for name, names in shapes.items():
        module = _module(name, names)
        if name in ("fabric.contrib", "future") or name.startswith("sdscli"):
            module.__path__ = []
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def confirm(question: str, default: bool = True) -> bool:
    """A question that is answered by yes or no."""
    answer = operations.prompt(f"{question} [{'Y/n' if default else 'y/N'}]", default="y" if default else "n")
    return str(answer).lower() in ("y", "yes")


def _module(name: str, names: dict[str, Any]) -> ModuleType:
    module = ModuleType(name, "A shape of the legacy tool's world; see legacy_shim.fab.")
    vars(module).update(names)
    vars(module)["__all__"] = list(names)
    return module


def _colour(code: int) -> Callable[..., str]:
    def colour(text: Any, bold: bool = False) -> str:
        return f"\033[{'1;' if bold else ''}{code}m{text}\033[0m" if sys.stdout.isatty() else str(text)

    return colour
