"""What a build is made from: files of dockerfiles/, source trees, and the tar that carries them to the engine."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO

from sdsk8s.backends.docker.kinds import TOOLS, Kind
from sdsk8s.errors import ConfigError
from sdsk8s.model.names import nearest

EXCLUDED_NAMES = frozenset(
    {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules", ".tox", ".mypy_cache", ".pytest_cache",
     ".ruff_cache", ".DS_Store"}
)  # fmt: skip
EXCLUDED_ENDINGS = (".pyc", ".pyo", ".egg-info")
PIP_FILES = ("constraints.txt", "exclude.txt")
"""Optional files of the source tree: versions that pip must keep to; names that trees declare and images do without."""
_EPOCH = 315532800  # 1980-01-01: the same context is the same tar
_MEMORY = 64 * 1024 * 1024


def walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """(relative path, file) of every file below a folder, sorted; links are followed, as copying over SSH did.

    A link that leads nowhere is left out, and so is one that leads back to a folder it lies in.
    """
    yield from _walk(folder, "", frozenset())


def _walk(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[tuple[str, Path]]:
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.name in EXCLUDED_NAMES or entry.name.endswith(EXCLUDED_ENDINGS):
                continue
            path = Path(entry.path)  # whose answers, unlike the entry's, are no for a link to itself
            if path.is_dir():
                yield from _walk(path, f"{prefix}{entry.name}/", above | {real})
            elif path.is_file():
                yield prefix + entry.name, path
    except OSError as err:
        raise _unreadable("folder", folder, err) from None


def package_folders(source: Path, packages: Sequence[str]) -> dict[str, Path]:
    """{package: folder}. ConfigError names the first that is missing, and those that exist."""
    found = {}
    for package in packages:
        folder = source / package
        if not folder.is_dir():
            there = sorted(p.name for p in source.iterdir() if p.is_dir()) if source.is_dir() else []
            near = nearest(package, there)
            raise ConfigError(
                f'the source tree has no folder "{package}"' if there else "there is no source tree",
                target=str(source),
                words=(f'did you mean "{near}"? ' if near else "")
                + (f"available: {', '.join(there)}" if there else ""),
                next="set `source` in site.yaml, or `packages` of the image",
            )
        found[package] = folder
    return found


def source_files(source: Path, packages: Sequence[str]) -> dict[str, Path]:
    """{path in the context's packages/: file} of the packages, and the tree's files for pip."""
    files = {
        f"{package}/{relative}": path
        for package, folder in package_folders(source, packages).items()
        for relative, path in walk(folder)
    }
    if packages:
        files |= {name: source / name for name in PIP_FILES if (source / name).is_file()}
    return files


def recipe_files(dockerfiles: Path, kind: Kind) -> dict[str, Path]:
    """{path in the context: file} of a kind: its folders, later ones over earlier ones, and the shared tools."""
    files = {f"{TOOLS}/{relative}": path for relative, path in walk(dockerfiles / TOOLS)}
    for folder in kind.folders:
        files.update(walk(dockerfiles / folder))
    if "Dockerfile" not in files:
        raise ConfigError("no Dockerfile", target=", ".join(str(dockerfiles / f) for f in kind.folders))
    return files


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """{path: sha256 of the content}, `+x` behind it for an executable."""
    out = {}
    for name, path in files.items():
        out[name] = _sha256(path) + ("+x" if _executable(path) else "")
    return out


def overlay_files(overlay: Mapping[str, str]) -> dict[str, Path]:
    """{path below /: file} of a site's overrides: a folder brings everything in it."""
    files: dict[str, Path] = {}
    for target, source in overlay.items():
        path = Path(source)
        inside = [("", path)] if path.is_file() else [(f"/{relative}", file) for relative, file in walk(path)]
        files.update({target.lstrip("/") + relative: file for relative, file in inside})
    return files


def build_arguments(dockerfile: str) -> list[str]:
    """Names that the ARG lines of a Dockerfile declare, in order."""
    joined = re.sub(r"\\\n", " ", dockerfile)
    lines = re.findall(r"^\s*ARG\s+(.+)$", joined, re.M | re.I)
    return list(
        dict.fromkeys(name for line in lines for name in re.findall(r"([A-Za-z_]\w*)(?:=(?:\"[^\"]*\"|\S*))?", line))
    )


def default_argument(dockerfile: str, name: str) -> str:
    """The value that an ARG line gives to the name, or ""."""
    found = re.search(rf"^\s*ARG\s+{re.escape(name)}=(\S+)", dockerfile, re.M | re.I)
    return found[1].strip("\"'") if found else ""


def up_to_stage(dockerfile: str, target: str | None) -> str:
    """The Dockerfile without what comes behind its target stage, ending in a line feed."""
    lines = dockerfile.rstrip("\n").split("\n")
    starts = [i for i, line in enumerate(lines) if re.match(r"FROM\s", line, re.I)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        if target and re.search(rf"\sAS\s+{re.escape(target)}\s*$", lines[start], re.I):
            lines = lines[:end]
            break
    return "\n".join(lines).rstrip("\n") + "\n"


def make_context(
    recipe: Mapping[str, Path | bytes],
    packages: Mapping[str, Path],
    links: Mapping[str, str],
    net: Mapping[str, bytes],
) -> IO[bytes]:
    """The build context as an open tar file: recipe at the root, packages/, net/, links.json.

    Large contexts lie in a temporary file that is deleted when the handle is closed.
    """
    out = tempfile.SpooledTemporaryFile(max_size=_MEMORY)  # noqa: SIM115  the caller closes it
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder in ("packages", "net", "bin"):  # a COPY of a folder must find one, though it may be empty
            info = tarfile.TarInfo(folder)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, _EPOCH
            tar.addfile(info)
        links_json = json.dumps(dict(links), sort_keys=True).encode()
        for name, content in [
            *sorted(recipe.items(), key=lambda item: item[0]),
            *((f"packages/{n}", p) for n, p in sorted(packages.items())),
            ("links.json", links_json),
            *((f"net/{n}", d) for n, d in sorted(net.items())),
        ]:
            if isinstance(content, bytes):
                tar.addfile(_info(name, len(content)), io.BytesIO(content))
                continue
            with _open(content) as handle:
                stat = os.fstat(handle.fileno())
                try:
                    tar.addfile(_info(name, stat.st_size, executable=bool(stat.st_mode & 0o100)), handle)
                except OSError as err:  # shorter by now
                    raise _unreadable("file", content, err) from None
    out.seek(0)
    return out


def _info(name: str, size: int, *, executable: bool = False) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, _EPOCH, 0o755 if executable else 0o644
    return info


def _executable(path: Path) -> bool:
    return bool(stat_of(path).st_mode & 0o100)


def stat_of(path: Path) -> os.stat_result:
    """ConfigError for a file that was deleted since it was found."""
    try:
        return path.stat()
    except OSError as err:
        raise _unreadable("file", path, err) from None


def _sha256(path: Path) -> str:
    with _open(path) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as err:
        raise _unreadable("file", path, err) from None


def _unreadable(what: str, path: Path, err: OSError) -> ConfigError:
    return ConfigError(f"a {what} cannot be read", target=str(path), words=err.strerror or str(err))
