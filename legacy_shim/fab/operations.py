"""run, sudo, local, put, get and the other operations of `fabric.api`."""

from __future__ import annotations

import glob
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from legacy_shim.fab.hosts import Hosts
from legacy_shim.fab.state import env, output
from sdsk8s.backends.target import CommandTarget, local_file, quoted
from sdsk8s.errors import RefusedError, SdsError
from sdsk8s.migrate.fabric_verdicts import is_activation


class Result(str):
    """What a command said, with how it ended: return_code, failed, succeeded, stderr, command, real_command."""

    stderr: str = ""
    command: str = ""
    real_command: str = ""
    return_code: int = 0

    @property
    def stdout(self) -> str:
        return str(self)

    @property
    def failed(self) -> bool:
        return self.return_code != 0

    @property
    def succeeded(self) -> bool:
        return self.return_code == 0


class FilesResult(list[str]):
    """Paths that put or get have made; `failed` names those that could not be."""

    def __init__(self, paths: list[str], failed: list[str]) -> None:
        super().__init__(paths)
        self.failed = failed
        self.succeeded = not failed


class Aborted(SystemExit):
    """The run ends here with code 1; the reason has been printed."""


def abort(message: Any) -> NoReturn:
    """End the run with a message."""
    made = env.get("abort_exception")
    if made:
        raise made(str(message))
    if output.aborts:
        print(f"\nFatal error: {message}\n\nAborting.", file=sys.stderr)
    raise Aborted(1)


def warn(message: Any) -> None:
    """A message on stderr; the run goes on."""
    if output.warnings:
        print(f"\nWarning: {message}\n", file=sys.stderr)


def puts(text: Any, show_prefix: bool | None = None, end: str = "\n", flush: bool = False) -> None:
    """A line on stdout, after the host's name."""
    if not output.user:
        return
    shown = env.output_prefix if show_prefix is None else show_prefix
    head = f"[{env.host_string}] " if shown and env.host_string else ""
    print(f"{head}{text}", end=end, flush=flush)


def fastprint(text: Any, show_prefix: bool = False, end: str = "", flush: bool = True) -> None:
    """Text on stdout at once, without a line's end."""
    puts(text, show_prefix=show_prefix, end=end, flush=flush)


def require(*keys: str, **kw: Any) -> None:
    """Abort when one of these values of env is not set."""
    missing = [k for k in keys if env.get(k) in (None, "", [], {}) and not isinstance(env.get(k), bool)]
    if missing:
        where = kw.get("provided_by")
        made = f"; provided by {where}" if where else ""
        abort(f"the task needs {', '.join(missing)} in env{made}")


def prompt(text: str, key: str | None = None, default: Any = "", validate: Any = None) -> Any:
    """Ask on the terminal. Without one, or with abort_on_prompts: abort."""
    if env.abort_on_prompts or not sys.stdin.isatty():
        abort(f'no terminal to answer "{text}"')
    while True:
        value: Any = input(f"{text.rstrip()} {f'[{default}] ' if default else ''}") or default
        try:
            value = _valid(value, validate)
        except ValueError as err:
            print(f"Validation failed: {err}")
            continue
        if key:
            env[key] = value
        return value


def _valid(value: Any, validate: Any) -> Any:
    if callable(validate):
        return validate(value)
    if validate and not re.fullmatch(validate, str(value)):
        raise ValueError(f"{value!r} does not match {validate}")
    return value


# -- commands --------------------------------------------------------------------------------------------------------


def run(command: Any, shell: bool = True, quiet: bool = False, warn_only: bool = False, **kw: Any) -> Result:
    """Run a command on the current host. A failing one ends the run, unless warn_only."""
    seconds = kw.get("timeout") or env.command_timeout
    return _remote("run", str(command), shell, quiet, warn_only, seconds)


def sudo(command: Any, shell: bool = True, quiet: bool = False, warn_only: bool = False, **kw: Any) -> Result:
    """As root or another user: on machines only. In a pod the security context decides who runs."""
    if target().pod:
        raise RefusedError(
            f"sudo: a pod has no other users to become ({command})",
            target=str(env.host_string),
            next="run() as the pod's user; what needs root belongs in the image (OS_PACKAGES) or the manifest",
        )
    user = kw.get("user") or env.get("sudo_user")
    head = env.sudo_prefix + (f" -u {shlex.quote(str(user))}" if user else "")
    line = f"{head} /bin/bash -c {shlex.quote(_composed(str(command)))}" if shell else f"{head} {command}"
    seconds = kw.get("timeout") or env.command_timeout
    return _remote("sudo", str(command), shell, quiet, warn_only, seconds, line)


def _remote(
    what: str, command: str, shell: bool, quiet: bool, warn_only: bool, seconds: float | None, line: str = ""
) -> Result:
    line = line or (_composed(command) if shell else command)
    env.command = command
    silent = quiet
    if output.running and not silent:
        print(f"[{env.host_string}] {what}: {command}", flush=True)
    ended = target().shell(line, seconds) if shell else target().run(shlex.split(line), seconds)
    result = Result(ended.stdout.rstrip("\n").replace("\r\n", "\n"))
    result.stderr, result.return_code = ended.stderr.rstrip("\n"), ended.code
    result.command, result.real_command = command, line
    if output.stdout and not silent:
        _say("out", result)
    if output.stderr and not silent:
        _say("err", result.stderr)
    _judge(result, what, warn_only or quiet)
    return result


def _say(stream: str, text: str) -> None:
    for row in text.splitlines():
        print(f"[{env.host_string}] {stream}: {row}" if env.output_prefix else row)
    sys.stdout.flush()


def _judge(result: Result, what: str, only_warn: bool) -> None:
    if result.succeeded:
        return
    words = f"{what}() received nonzero return code {result.return_code} while executing '{result.command}'!"
    if only_warn or env.warn_only:
        if not only_warn:
            warn(words)
        return
    if not output.stdout and (hidden := "\n".join((result + "\n" + result.stderr).strip().splitlines()[-10:])):
        words += f"\n\nLast lines of its output:\n{hidden}"
    abort(words)


def _composed(command: str) -> str:
    """The command after its folder, search path, variables and prefixes."""
    prefixes = list(env.command_prefixes)
    if target().pod:
        # The image's virtual environment is always active, and it is the only one.
        prefixes = [p for p in prefixes if not is_activation(p)]
    parts = [f"cd {env.cwd}"] if env.cwd else []
    return " && ".join([*parts, *prefixes, _with_variables(command)])


def _with_variables(command: str) -> str:
    words = [f"export {k}={shlex.quote(str(v))}" for k, v in env.shell_env.items()]
    if env.path:
        order = {"append": f"$PATH:{env.path}", "prepend": f"{env.path}:$PATH", "replace": env.path}
        words.append(f'export PATH="{order[env.path_behavior]}"')
    return " && ".join([*words, command])


def local(command: Any, capture: bool = False, shell: str | None = None, **kw: Any) -> Result:
    """Run a command here, on the operator's host."""
    line = str(command)
    if output.running:
        print(f"[localhost] local: {line}", flush=True)
    prefixes = [f"cd {env.lcwd}"] if env.lcwd else []
    full = " && ".join([*prefixes, *env.command_prefixes, _with_variables(line)])
    hide = capture or not output.stdout
    done = subprocess.run(
        [shell or "/bin/sh", "-c", full],
        check=False,
        text=True,
        stdin=None if sys.stdin.isatty() else subprocess.DEVNULL,
        stdout=subprocess.PIPE if hide else None,
        stderr=subprocess.PIPE if capture or not output.stderr else None,
    )
    result = Result((done.stdout or "").strip())
    result.stderr, result.return_code = (done.stderr or "").strip(), done.returncode
    result.command = result.real_command = line
    _judge(result, "local", False)
    return result


# -- files -----------------------------------------------------------------------------------------------------------


def put(
    local_path: Any,
    remote_path: str = "",
    use_sudo: bool = False,
    mirror_local_mode: bool = False,
    mode: Any = None,
    **kw: Any,
) -> FilesResult:
    """Send a file, the files of a folder, or those of a pattern to the current host."""
    if use_sudo:
        raise RefusedError("put: use_sudo has no counterpart", next="choose a target that the user may write")
    to = target()
    if hasattr(local_path, "read"):
        data = local_path.read()
        remote = remote_at(remote_path)
        _send(to, data if isinstance(data, bytes) else str(data).encode(), remote, _mode(mode, 0o644))
        return FilesResult([remote], [])
    sources = sorted(glob.glob(str(local_at(local_path)))) or [str(local_at(local_path))]
    made: list[str] = []
    for source in map(Path, sources):
        if not source.exists():
            raise SdsError(f"no such file: {source}", target="put")
        base = remote_at(remote_path)
        into = len(sources) > 1 or source.is_dir() or not remote_path or remote_path.endswith("/") or _folder(to, base)
        for file in sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]:
            inside = file.relative_to(source.parent) if source.is_dir() else Path(file.name)
            remote = f"{base.rstrip('/')}/{inside}" if into and base else str(inside) if into else base
            if source.is_dir():
                _checked(to, f"mkdir -p {quoted(os.path.dirname(remote))}")
            kept = file.stat().st_mode & 0o777 if mirror_local_mode else 0o644
            _send(to, local_file(file), remote, _mode(mode, kept))
            made.append(remote)
    return FilesResult(made, [])


def get(remote_path: Any, local_path: Any = None, **kw: Any) -> FilesResult:
    """Fetch files to here. In local_path %(host)s, %(path)s, %(basename)s and %(dirname)s are filled in."""
    remote = remote_at(str(remote_path))
    source = target()
    listing = f"[ -d {quoted(remote)} ] && cd {quoted(remote)} && find . -type f"
    inside = source.shell(listing)
    folder = inside.code == 0
    names = [n.removeprefix("./") for n in inside.stdout.splitlines()] if folder else [""]
    made = []
    for name in names:
        full = f"{remote.rstrip('/')}/{name}" if name else remote
        data = source.read(full)
        if hasattr(local_path, "write"):
            local_path.write(data)
            continue
        base = os.path.basename(remote.rstrip("/"))
        words = {
            "host": env.host_string,
            "basename": os.path.basename(full),
            "dirname": os.path.dirname(full),
            "path": f"{base}/{name}" if name else base,
        }
        to = local_at(str(local_path or "%(host)s/%(path)s") % words)
        named = any(f"%({word})s" in str(local_path or "%(path)s") for word in ("path", "basename"))
        if not named and (to.is_dir() or str(local_path).endswith("/") or folder):
            to = to / words["path"]
        to.parent.mkdir(parents=True, exist_ok=True)
        if output.running:
            print(f"[{env.host_string}] download: {to} <- {full}")
        to.write_bytes(data)
        made.append(str(to))
    return FilesResult(made, [])


def _send(to: CommandTarget, data: bytes, remote: str, mode: int) -> None:
    if output.running:
        print(f"[{env.host_string}] put: {len(data)} bytes -> {remote}", flush=True)
    to.write(data, remote, mode)


def _mode(given: Any, otherwise: int) -> int:
    if given is None:
        return otherwise
    return int(given, 8) if isinstance(given, str) else int(given)


def _folder(to: CommandTarget, path: str) -> bool:
    return to.shell(f"[ -d {quoted(path)} ]").code == 0


def _checked(to: CommandTarget, command: str) -> None:
    done = to.shell(command)
    if done.code != 0:
        raise SdsError(command, target=to.name, words=done.stderr)


def local_at(path: Any) -> Path:
    """A local path below the folder of lcd()."""
    return Path(env.lcwd).expanduser() / Path(str(path)).expanduser()


def remote_at(path: str) -> str:
    """A remote path below the folder of cd()."""
    return path if path.startswith(("/", "~")) or not env.cwd else f"{env.cwd.rstrip('/')}/{path}".rstrip("/")


# -- hosts -----------------------------------------------------------------------------------------------------------


def target() -> CommandTarget:
    """The current host. Aborts when the task runs on none."""
    if not env.host_string:
        abort("this task needs a host: name one with -R ROLE, -H HOST, or @roles in the file")
    hosts: Hosts = env.sds_hosts
    return hosts.target(env.host_string)


def open_shell(command: str | None = None) -> NoReturn:
    raise RefusedError(
        "open_shell: interactive shells are not supported", next="kubectl exec -it POD -- bash, or ssh HOST"
    )


def reboot(wait: int = 120, command: str = "reboot", use_sudo: bool = True) -> None:
    """Machines only; a pod is replaced instead."""
    if target().pod:
        raise RefusedError("reboot: a pod is replaced, not rebooted", next="sdsk8s restart COMPONENT")
    sudo(command, warn_only=True) if use_sudo else run(command, warn_only=True)


def remote_tunnel(*args: Any, **kw: Any) -> NoReturn:
    raise RefusedError("remote_tunnel has no counterpart in the cluster", next="kubectl port-forward")
