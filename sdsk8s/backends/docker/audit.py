"""Opening a built image: what is in it that should not be, and what is missing. Nothing of the image is run."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, cast

from sdsk8s.errors import ConfigError
from sdsk8s.site.yamlfile import read_mapping

_LISTS = ("compilers", "caches", "credentials", "packages", "writable", "test_keys")
_TEXT_LIMIT = 1_000_000  # larger files are no settings
_PRIVATE_KEY = b"-----BEGIN " + b"PRIVATE KEY"
_BIN = ("/bin/", "/sbin/")


@dataclass(frozen=True)
class Problem:
    """check: its name; words: what was found and where."""

    check: str
    words: str


@dataclass(frozen=True)
class Rules:
    """Patterns of dockerfiles/audit.yaml by the name of their list."""

    patterns: Mapping[str, tuple[str, ...]]

    @staticmethod
    def load(dockerfiles: Path) -> Rules:
        path = dockerfiles / "audit.yaml"
        data = read_mapping(path)
        for name in _LISTS:
            if not isinstance(data.get(name), list):
                raise ConfigError(f'the list "{name}" is missing', target=str(path))
        return Rules({name: tuple(str(p) for p in data[name]) for name in _LISTS})

    def hit(self, name: str, text: str) -> bool:
        return any(fnmatch(text, pattern) for pattern in self.patterns[name])


@dataclass
class _Seen:
    """What one walk through the file system gathers."""

    problems: list[Problem] = field(default_factory=list)
    programs: set[str] = field(default_factory=set)


def audit(
    files: Iterable[bytes],
    settings: Mapping[str, Any],
    commands: Iterable[str],
    rules: Rules,
    *,
    needed: Collection[str] = (),
    allow: Collection[str] = (),
    secrets: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Problems of one image, each once.

    files     the file system as the pieces of a tar
    settings  User, Env of the image's configuration
    commands  that made its layers
    needed    programs that manifests start in it, by name or path
    allow     Python packages that may be there
    secrets   {key: value} of the site; no value may be in the image
    """
    user = str(settings.get("User") or "")
    seen = _Seen()
    if not user or user.split(":")[0] in ("0", "root"):
        seen.problems.append(Problem("user", f'it runs as "{user or "root"}"'))
    elif not user.split(":")[0].isdigit():
        seen.problems.append(
            Problem("user", f'"{user}" is a name, but the kubelet needs a number to check that it is not root')
        )
    values = {key: value.encode() for key, value in (secrets or {}).items()}
    outside = "\n".join([*(str(e) for e in settings.get("Env") or ()), *commands]).encode()
    for key, value in values.items():
        if value in outside:
            seen.problems.append(Problem("credentials", f"the value of {key} is in the environment or the history"))
    with tarfile.open(fileobj=cast("IO[bytes]", _Pieces(files)), mode="r|") as tar:
        for member in tar:
            _look(tar, member, rules, user.partition(":"), values, allow, seen)
    path = next((e.partition("=")[2] for e in settings.get("Env") or () if str(e).startswith("PATH=")), "/usr/bin:/bin")
    for program in sorted(needed):
        places = [program] if program.startswith("/") else [posixpath.join(d, program) for d in path.split(":")]
        # /bin is a link to /usr/bin in a merged system
        if not any(p in seen.programs or f"/usr{p}" in seen.programs for p in places):
            seen.problems.append(Problem("executables", f"{program} is missing, but a manifest starts it"))
    return sorted(set(seen.problems), key=lambda p: (p.check, p.words))


def _look(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    rules: Rules,
    user: tuple[str, str, str],
    values: Mapping[str, bytes],
    allow: Collection[str],
    seen: _Seen,
) -> None:
    path = posixpath.normpath("/" + member.name)
    add = seen.problems.append
    name = posixpath.basename(path)
    if not member.isdir() and (member.mode & 0o111 or not member.isfile()):
        seen.programs.add(path)
    if member.isfile() and member.mode & 0o6000:
        add(Problem("set-uid", path))
    if not member.isdir() and rules.hit("compilers", name) and any(part in path for part in _BIN):
        add(Problem("compilers", path))
    if member.isfile() and rules.hit("caches", path):
        add(Problem("caches", posixpath.dirname(path)))
    if member.isfile() and rules.hit("credentials", path):
        add(Problem("credentials", path))
    folder, _, package = path.rpartition("/")
    installed = member.isdir() and folder.endswith(("site-packages", "dist-packages"))
    if installed and rules.hit("packages", package) and package not in allow:
        add(Problem("packages", path))
    runtime = path.startswith(("/proc/", "/sys/", "/dev/"))
    if not member.issym() and not runtime and _writable(member, user) and not rules.hit("writable", path):
        add(Problem("writable", path))
    if member.isfile() and member.size <= _TEXT_LIMIT and (values or name.endswith((".pem", ".key"))):
        handle = tar.extractfile(member)
        data = handle.read() if handle else b""
        for key, value in values.items():
            if value in data:
                add(Problem("credentials", f"{path} holds the value of {key}"))
        key_file = name.endswith((".pem", ".key")) and not rules.hit("test_keys", path)
        if key_file and (_PRIVATE_KEY in data or b" PRIVATE KEY-----" in data):
            add(Problem("credentials", f"{path} holds a private key"))


def _writable(member: tarfile.TarInfo, user: tuple[str, str, str]) -> bool:
    uid, _, gid = user
    return bool(
        member.mode & 0o002
        or (member.mode & 0o200 and uid.isdigit() and int(uid) and member.uid == int(uid))
        or (member.mode & 0o020 and gid.isdigit() and int(gid) and member.gid == int(gid))
    )


class _Pieces(RawIOBase):
    """Pieces of bytes as a file to read from, so that no whole image lies in memory."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        end = len(self._rest) if size < 0 else size
        out, self._rest = self._rest[:end], self._rest[end:]
        return out
