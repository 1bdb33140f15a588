"""`sds fab`: run tasks of the site's own Fabric file on pods and machines."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from legacy_shim.console import legacy_session
from legacy_shim.fab import builtin, modules
from legacy_shim.fab.hosts import Hosts, Roledefs
from legacy_shim.fab.state import env, output
from legacy_shim.fab.tasks import collect, execute, find, parse
from sdsk8s.errors import ConfigError, SdsError, UsageError
from sdsk8s.migrate.fabric_verdicts import table
from sdsk8s.verbs.options import Options


def fab(options: Options, *, tasks: list[str], listing: bool, verdicts: bool, **kw: Any) -> int:
    """Run tasks one after the other; without any, list them."""
    if verdicts:
        _print_verdicts()
        return 0
    found = _load(options, kw)
    if listing or not tasks:
        _print_tasks(found, sys.stdout if listing else sys.stderr)
        return 0 if listing else 1
    calls = [parse(word) for word in tasks]
    functions = [find(name) for name, *_ in calls]  # all names are known before the first one runs
    for function, (_, args, named, chosen) in zip(functions, calls, strict=True):
        with _explained(function.__name__):
            if getattr(function, "hostless", False):
                function(*args, **named)
            else:
                execute(function, *args, **named, **chosen)
    return 0


@contextmanager
def _explained(task: str) -> Iterator[None]:
    """A fault in the site's own code is shown with its line, as an error of that task."""
    try:
        yield
    except SdsError:
        raise
    except Exception as err:
        path = Path(_fabfile())
        raise SdsError(
            f"the task {task} failed", target=f"{path}:{_line_in(path, err)}", words=f"{type(err).__name__}: {err}"
        ) from err


def _fabfile() -> str:
    """The file that was loaded."""
    return str(env.real_fabfile)


def _load(options: Options, kw: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    session = legacy_session(options)
    hosts = Hosts(session)
    config = session.site.config
    words = {k: _words(kw[k]) for k in ("roles", "hosts", "exclude", "hidden", "values")}
    env.update(
        sds_hosts=hosts,
        roledefs=Roledefs(hosts),
        key_filename=config.get("KEY_FILENAME"),
        hosts=words["hosts"],
        roles=words["roles"],
        exclude_hosts=words["exclude"],
        parallel=kw["parallel"],
        warn_only=kw["warn_only"],
        pool_size=_count(kw["pool_size"]),
        abort_on_prompts=not sys.stdin.isatty(),
    )
    for pair in words["values"]:
        key, equals, text = pair.partition("=")
        env[key] = text if equals else True
    output.update(dict.fromkeys(words["hidden"], False))
    path = _file(kw["fabfile"], session.home)
    builtins = builtin.tasks(hosts)
    modules.install(builtins, dict(config))
    module = _import(path)
    env.real_fabfile = env.fabfile = str(path)
    found = collect(module, builtins)
    env.sds_tasks = found
    env.tasks = sorted(found)
    return found


def _count(text: str | None) -> int:
    if text and not text.isdigit():
        raise UsageError(f"-z expects a number, got {text}")
    return int(text or 0)


def _words(text: str | None) -> list[str]:
    return [w.strip() for w in (text or "").split(",") if w.strip()]


def _file(given: str | None, home: Path) -> Path:
    candidates = [Path(given).expanduser()] if given else [home / "cluster.py", Path("fabfile.py")]
    if given and not candidates[0].exists() and not candidates[0].suffix:
        candidates.append(candidates[0].with_suffix(".py"))
    for path in candidates:
        if path.is_file():
            return path.resolve()
    raise UsageError(
        "no Fabric file found",
        target=" or ".join(map(str, candidates)),
        next="sds fab -f FILE, or sds fab --verdicts",
    )


def _import(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError("not a Python file", target=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(path))
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except SdsError:
        raise
    except SyntaxError as err:
        raise ConfigError(
            "the file is not valid Python 3",
            target=f"{err.filename or path}:{err.lineno}",
            words=f"{err.msg}: {(err.text or '').strip()}",
            next="convert the file with 2to3 -w, or correct this line",
        ) from err
    except Exception as err:
        raise ConfigError(
            "the file cannot be loaded",
            target=f"{path}:{_line_in(path, err)}",
            words=f"{type(err).__name__}: {err}",
            next="sds fab --verdicts shows what legacy files can use",
        ) from err
    return module


def _line_in(path: Path, err: BaseException) -> int:
    line, trace = 0, err.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _print_tasks(found: dict[str, Callable[..., Any]], out: Any) -> None:
    print("Tasks:" if found else "The file has no tasks.", file=out)
    width = max(map(len, found), default=0)
    for name in sorted(found):
        lines = (found[name].__doc__ or "").strip().splitlines()
        print(f"  {name:<{width}}  {lines[0] if lines else ''}".rstrip(), file=out)


def _print_verdicts() -> None:
    for kind, entries in table().items():
        print(f"{kind}:")
        for v in entries.values():
            print(f"  {v.name:<28} {v.verdict:<8} {v.now}")
