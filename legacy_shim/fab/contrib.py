"""`fabric.contrib.files` and `fabric.contrib.project`."""

from __future__ import annotations

import io
import os
import re
import shlex
from pathlib import Path
from typing import Any

import jinja2

from legacy_shim.fab import operations as ops
from legacy_shim.fab.operations import Result, remote_at, run, target
from legacy_shim.fab.state import env, hide, settings
from sdsk8s.backends.target import quoted
from sdsk8s.errors import ConfigError, RefusedError, SdsError


def exists(path: str, use_sudo: bool = False, verbose: bool = False) -> bool:
    """Is there such a file or folder on the current host? Patterns are allowed."""
    return _test("-e", path)


def is_link(path: str, use_sudo: bool = False, verbose: bool = False) -> bool:
    """Is it a symbolic link?"""
    return _test("-L", path)


def _test(what: str, path: str) -> bool:
    # One word may become several by its pattern: the first that fits will do.
    script = f'for f in {_pattern(remote_at(path))}; do [ {what} "$f" ] && exit 0; done; exit 1'
    return target().shell(script).code == 0


def _pattern(path: str) -> str:
    """Quoted for a shell, while ~ $ and the signs of a pattern still work."""
    return re.sub(r"([^\w@%+=:,./~$*?\[\]{}\-])", r"\\\1", path)


def first(*paths: str, **kw: Any) -> str | None:
    """The first of these paths that exists."""
    return next((p for p in paths if exists(p)), None)


def contains(
    filename: str, text: str, exact: bool = False, use_sudo: bool = False, escape: bool = True, **kw: Any
) -> bool:
    """Does a line of the file match? escape: text is not a regular expression; exact: it is the whole line."""
    option = "-F" if escape else "-E"
    line = f"grep -q {option} {'-x ' if exact else ''}-e {shlex.quote(str(text))} {quoted(remote_at(filename))}"
    return target().shell(line).code == 0


def append(
    filename: str, text: Any, use_sudo: bool = False, partial: bool = False, escape: bool = True, **kw: Any
) -> None:
    """Add lines that the file does not have yet. partial: a line that contains the text counts as having it."""
    _no_sudo("append", use_sudo)
    for line in [text] if isinstance(text, str) else text:
        if not line or not contains(filename, line, exact=not partial):
            run(f"printf '%s\\n' {shlex.quote(str(line))} >> {quoted(filename)}")


def sed(
    filename: str,
    before: str,
    after: str,
    limit: str = "",
    use_sudo: bool = False,
    backup: str = ".bak",
    flags: str = "",
    **kw: Any,
) -> Result:
    """Replace by a regular expression, in place; the old file stays with the ending `backup`."""
    _no_sudo("sed", use_sudo)
    where = f"/{limit}/ " if limit else ""
    script = f"{where}s/{before.replace('/', chr(92) + '/')}/{after.replace('/', chr(92) + '/')}/{flags}g"
    option = f"-i{backup}" if backup else "-i"
    return run(f"sed {option} -r -e {shlex.quote(script)} {quoted(filename)}")


def comment(
    filename: str, regex: str, use_sudo: bool = False, char: str = "#", backup: str = ".bak", **kw: Any
) -> Result:
    """Put a sign before lines that match."""
    head = "^" if regex.startswith("^") else ""
    tail = "$" if regex.endswith("$") else ""
    bare = regex.removeprefix("^").removesuffix("$")
    return sed(filename, f"{head}({bare}){tail}", rf"{char}\1", backup=backup, use_sudo=use_sudo)


def uncomment(
    filename: str, regex: str, use_sudo: bool = False, char: str = "#", backup: str = ".bak", **kw: Any
) -> Result:
    """Take the sign before lines that match away."""
    bare = regex.removeprefix("^").removesuffix("$")
    return sed(filename, rf"^([ \t]*){char}[ \t]?({bare}.*)", r"\1\2", backup=backup, use_sudo=use_sudo)


def upload_template(
    filename: str,
    destination: str,
    context: Any = None,
    use_jinja: bool = False,
    template_dir: str | None = None,
    use_sudo: bool = False,
    backup: bool = True,
    mirror_local_mode: bool = False,
    mode: Any = None,
    **kw: Any,
) -> Any:
    """Fill in a template and send it. An older file stays beside it with the ending .bak."""
    _no_sudo("upload_template", use_sudo)
    folder = Path(template_dir).expanduser() if template_dir else ops.local_at("")
    text = _jinja(folder, filename, context or {}) if use_jinja else _percent(folder / filename, context)
    remote = remote_at(destination)
    with settings(hide("everything"), warn_only=True):
        if run(f"[ -d {quoted(remote)} ]").succeeded:
            remote = f"{remote.rstrip('/')}/{os.path.basename(filename)}"
        if backup:
            run(f"[ ! -f {quoted(remote)} ] || cp -p {quoted(remote)} {quoted(remote + '.bak')}")
    kept = (folder / filename).stat().st_mode & 0o777 if mirror_local_mode else None
    with settings(cwd=""):
        return ops.put(io.BytesIO(text.encode()), remote, mode=mode if mode is not None else kept)


def _jinja(folder: Path, filename: str, context: Any) -> str:
    loader = jinja2.FileSystemLoader(str(folder))
    try:
        made = jinja2.Environment(loader=loader, keep_trailing_newline=True).get_template(filename)
        return made.render(**context)
    except jinja2.TemplateNotFound:
        raise ConfigError(f"template not found: {filename}", target=str(folder)) from None
    except jinja2.TemplateError as err:
        line = getattr(err, "lineno", None)
        raise ConfigError(
            "the template cannot be filled in",
            target=f"{folder / filename}{f':{line}' if line else ''}",
            words=str(err),
        ) from None


def _percent(path: Path, context: Any) -> str:
    try:
        text = path.read_text()
        return text % context if context else text
    except OSError as err:
        raise ConfigError("the template cannot be read", target=str(path), words=str(err)) from None
    except (KeyError, TypeError, ValueError) as err:
        raise ConfigError("the template cannot be filled in", target=str(path), words=f"{err!r}") from None


def rsync_project(
    remote_dir: str,
    local_dir: str | None = None,
    exclude: Any = (),
    delete: bool = False,
    extra_opts: str = "",
    ssh_opts: str = "",
    capture: bool = False,
    upload: bool = True,
    default_opts: str = "-pthrvz",
    **kw: Any,
) -> Any:
    """Bring a folder to the current host: by rsync on a machine. A pod's code is its image."""
    source = str(ops.local_at(local_dir or "."))
    if local_dir and local_dir.endswith("/"):
        source = source.rstrip("/") + "/"
    if target().pod:
        raise RefusedError(
            f"rsync_project: the pod's code is part of its image ({source} -> {remote_dir})",
            target=str(env.host_string),
            next="sds update COMPONENT; sdsk8s cp brings a folder to a writable place of a pod",
        )
    excluded = [exclude] if isinstance(exclude, str) else list(exclude)
    options = [*default_opts.split(), *(["--delete"] if delete else []), *shlex.split(extra_opts)]
    options += [f"--exclude={e}" for e in excluded]
    host = str(env.host_string)
    name, _, port = host.rpartition("@")[2].partition(":")
    user = host.rpartition("@")[0]
    where = f"{user + '@' if user else ''}{name}:{remote_at(remote_dir)}"
    ssh = shlex.join(["ssh", *(["-p", port] if port else []), *_key(), *_known(), *_harmless(ssh_opts)])
    pair = [source, where] if upload else [where, source]
    return ops.local(shlex.join(["rsync", *options, "-e", ssh, *pair]), capture=capture)


def _key() -> list[str]:
    key = env.key_filename
    return ["-i", str(Path(key).expanduser())] if key else []


def _known() -> list[str]:
    known = env.sds_hosts.session.home / "known_hosts"
    return ["-o", f"UserKnownHostsFile=~/.ssh/known_hosts {known}"] if known.exists() else []


def _harmless(options: str) -> list[str]:
    """Options for ssh without those that switch the check of host keys off."""
    words, kept = shlex.split(options), []
    while words:
        word = words.pop(0)
        value = words.pop(0) if word == "-o" and words else ""
        if value.partition("=")[0] not in ("UserKnownHostsFile", "StrictHostKeyChecking"):
            kept += [word, *([value] if value else [])]
    return kept


def upload_project(local_dir: str | None = None, remote_dir: str = "", use_sudo: bool = False, **kw: Any) -> Any:
    """Like rsync_project, whole."""
    return rsync_project(remote_dir, local_dir)


def _no_sudo(what: str, use_sudo: bool) -> None:
    if use_sudo and target().pod:
        raise RefusedError(f"{what}: use_sudo has no counterpart in a pod", next="remove use_sudo")
    if use_sudo:
        raise SdsError(f"{what}: use_sudo is not supported", next="sudo('...') with the whole command")
