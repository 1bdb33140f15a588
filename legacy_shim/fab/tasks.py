"""task, roles, hosts, parallel and the running of tasks on hosts."""

from __future__ import annotations

import contextvars
import functools
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from legacy_shim.fab.operations import Aborted, abort, warn
from legacy_shim.fab.state import env, output, settings
from sdsk8s.errors import SdsError, UsageError
from sdsk8s.model.names import unknown

Function = Callable[..., Any]
WORKERS = 16
"""Hosts at once in a parallel task, unless the task or -z says otherwise."""


def task(*args: Any, **kw: Any) -> Any:
    """Mark a function as a task: @task, @task(alias='x'), @task(default=True), @task(name='x')."""
    if args and callable(args[0]):
        return _marked(args[0], {})
    return lambda function: _marked(function, {**({"name": args[0]} if args else {}), **kw})


def _marked(function: Function, kw: dict[str, Any]) -> Function:
    names = [kw["name"]] if kw.get("name") else []
    names += [kw["alias"]] if kw.get("alias") else []
    names += list(kw.get("aliases") or ())
    function.sds_task = {"names": names, "default": bool(kw.get("default"))}  # type: ignore[attr-defined]
    return function


class Task:
    """The class form of a task: subclasses have name and run()."""

    name = "undefined"
    aliases: tuple[str, ...] = ()
    hosts: list[str] | None = None
    roles: list[str] | None = None

    def __init__(self, *args: Any, **kw: Any) -> None:
        for key in ("name", "hosts", "roles", "aliases"):
            if key in kw:
                setattr(self, key, kw[key])

    def run(self, *args: Any, **kw: Any) -> Any:
        raise NotImplementedError

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.run(*args, **kw)


def _listing(attribute: str, values: tuple[Any, ...]) -> Callable[[Function], Function]:
    found = list(values[0]) if values and not isinstance(values[0], str) else list(values)

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def inner(*args: Any, **kw: Any) -> Any:
            return function(*args, **kw)

        setattr(inner, attribute, found)
        return inner

    return decorate


def hosts(*names: Any) -> Callable[[Function], Function]:
    """Hosts that a task runs on."""
    return _listing("hosts", names)


def roles(*names: Any) -> Callable[[Function], Function]:
    """Roles that a task runs on."""
    return _listing("roles", names)


def runs_once(function: Function) -> Function:
    """The task runs on the first host only; later calls get its result."""
    results: list[Any] = []

    @functools.wraps(function)
    def inner(*args: Any, **kw: Any) -> Any:
        if not results:
            results.append(function(*args, **kw))
        return results[0]

    inner.sds_once = True  # type: ignore[attr-defined]
    return inner


def serial(function: Function) -> Function:
    """One host after the other, whatever env.parallel says."""
    function.serial = True  # type: ignore[attr-defined]
    return function


def parallel(pool_size: Any = None) -> Any:
    """All hosts at once: @parallel or @parallel(pool_size=5)."""

    def decorate(function: Function) -> Function:
        function.parallel = True  # type: ignore[attr-defined]
        function.pool_size = None if callable(pool_size) else pool_size  # type: ignore[attr-defined]
        return function

    return decorate(pool_size) if callable(pool_size) else decorate


def with_settings(*managers: Any, **values: Any) -> Callable[[Function], Function]:
    """The function's body runs inside settings(...)."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def inner(*args: Any, **kw: Any) -> Any:
            with settings(*managers, **values):
                return function(*args, **kw)

        return inner

    return decorate


# -- running ---------------------------------------------------------------------------------------------------------


def execute(job: Any, *args: Any, **kw: Any) -> dict[str, Any]:
    """Run a task on its hosts: {host: what it returned}. hosts, host, roles, role, exclude_hosts choose them."""
    chosen = {k: kw.pop(k, None) for k in ("hosts", "host", "roles", "role", "exclude_hosts")}
    function = find(job)
    places = hosts_of(function, **chosen)
    if not places:
        return {"<local-only>": _one(function, None, args, kw)}
    env.all_hosts = [host for host, _ in places]
    at_once = (env.parallel or getattr(function, "parallel", False)) and not getattr(function, "serial", False)
    at_once = at_once and not getattr(function, "sds_once", False) and len(places) > 1
    if not at_once:
        return {host: _one(function, (host, role), args, kw) for host, role in places}
    size = int(getattr(function, "pool_size", None) or env.pool_size or WORKERS)
    with ThreadPoolExecutor(max_workers=min(size, len(places))) as pool:
        jobs = [
            (place[0], pool.submit(contextvars.copy_context().run, _one_of_many, function, place, args, kw))
            for place in places
        ]
        results = {host: job.result() for host, job in jobs}
    failed = [host for host, result in results.items() if isinstance(result, BaseException)]
    if failed:
        words = f"{function.__name__} failed on {len(failed)} of {len(results)} hosts: {', '.join(failed)}"
        warn(words) if env.warn_only else abort(words)
    return results


def _one(function: Function, place: tuple[str, str | None] | None, args: Any, kw: Any) -> Any:
    if place is None:
        return function(*args, **kw)
    host, role = place
    user, _, address = host.rpartition("@")
    name, _, port = address.partition(":")
    if output.running:
        print(f"[{host}] Executing task '{function.__name__}'", flush=True)
    with settings(
        host_string=host, host=name, user=user or env.user, port=port or None, effective_roles=[role] if role else []
    ):
        return function(*args, **kw)


def _one_of_many(function: Function, place: tuple[str, str | None], args: Any, kw: Any) -> Any:
    """What the function returned, or the exception: the other hosts go on, as they did in processes of their own."""
    env.own()
    output.own()
    try:
        return _one(function, place, args, kw)
    except Aborted as err:
        return err
    except SdsError as err:
        print("\n".join(f"[{place[0]}] {line}" for line in err.lines()), file=sys.stderr)
        return err
    except Exception as err:
        traceback.print_exc()
        return err


def hosts_of(
    function: Function,
    hosts: Any = None,
    host: Any = None,
    roles: Any = None,
    role: Any = None,
    exclude_hosts: Any = None,
) -> list[tuple[str, str | None]]:
    """[(host string, role or None)], each host once: of the call, else of the task, else of -R and -H."""
    if hosts or host or roles or role:
        names, groups = [*_words(hosts), *_words(host)], [*_words(roles), *_words(role)]
    elif getattr(function, "hosts", None) or getattr(function, "roles", None):
        names, groups = _words(getattr(function, "hosts", None)), _words(getattr(function, "roles", None))
    else:
        names, groups = _words(env.hosts), _words(env.roles)
    found: dict[str, str | None] = {}
    for name in names:
        for one in env.sds_hosts.expand(name):
            found.setdefault(one, None)
    for group in groups:
        for one in _role(group):
            found.setdefault(one, group)
    left_out = {*_words(exclude_hosts), *_words(env.exclude_hosts)}
    return [(h, r) for h, r in found.items() if h not in left_out]


def _role(name: str) -> list[str]:
    if name not in env.roledefs:
        env.sds_hosts.component_of(name)  # raises, naming the nearest
    value = env.roledefs[name]
    value = value() if callable(value) else value
    value = value.get("hosts", ()) if isinstance(value, dict) else value
    return [one for host in _words(value) for one in env.sds_hosts.expand(host)]


def _words(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    found: Iterable[Any] = [value] if isinstance(value, str) else value
    return [w.strip() for one in found for w in str(one).split(";") if w.strip()]


def find(job: Any) -> Function:
    """A task by name, or the function itself."""
    if callable(job):
        return job  # type: ignore[no-any-return]
    tasks: dict[str, Function] = env.sds_tasks
    if job not in tasks:
        raise UsageError(f'no task named "{job}"', words=unknown(str(job), list(tasks)), next="sds fab -l")
    return tasks[job]


def collect(module: Any, imported: dict[str, Any]) -> dict[str, Function]:
    """{name: function} of a loaded file, as Fabric chose them: the marked ones, or else every public one.

    imported: names of the legacy task module; they stay tasks when the file star-imports them.
    """
    public = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    marked: dict[str, Function] = {}
    for name, value in public.items():
        if isinstance(value, Task):
            marked[value.name if value.name != "undefined" else name] = value
        elif hasattr(value, "sds_task"):
            for word in value.sds_task["names"] or [name]:
                marked[word] = value
    if marked:
        return marked
    return {
        n: v
        for n, v in public.items()
        if inspect.isfunction(v) and (v.__module__ == module.__name__ or imported.get(n) is v)
    }


def parse(word: str) -> tuple[str, list[str], dict[str, str], dict[str, Any]]:
    """`name:a,b,k=v,hosts=x;y` -> (name, args, kwargs, {hosts, host, roles, role, exclude_hosts})."""
    name, _, rest = word.partition(":")
    args: list[str] = []
    kw: dict[str, str] = {}
    chosen: dict[str, Any] = {}
    for part in _split(rest) if rest else ():
        key, equals, value = part.partition("=")
        if not equals:
            args.append(part.replace("\\,", ",").replace("\\=", "="))
        elif key.endswith("\\"):
            args.append(part.replace("\\=", "=").replace("\\,", ","))
        elif key in ("hosts", "host", "roles", "role", "exclude_hosts"):
            chosen[key] = value.split(";")
        else:
            kw[key] = value.replace("\\,", ",").replace("\\=", "=")
    return name, args, kw, chosen


def _split(text: str) -> list[str]:
    parts = [""]
    for i, char in enumerate(text):
        if char == "," and not (i and text[i - 1] == "\\"):
            parts.append("")
        else:
            parts[-1] += char
    return parts
