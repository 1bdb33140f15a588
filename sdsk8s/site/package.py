"""Package files: written whole or not at all, read without trust."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import IO, Any

from sdsk8s.errors import ConfigError
from sdsk8s.model.package import MANIFEST, Package, package_from_dict

_MANIFEST_BYTES = 64 * 1024 * 1024


def write_package(package: Package, folder: str, images: Path, target: Path) -> None:
    """Make the tar file. images: a folder with the files that the manifest names; one that is missing is left out."""
    part = target.with_name(target.name + ".part")
    try:
        with tarfile.open(part, "w") as tar:
            text = json.dumps(package.manifest(), indent=2, sort_keys=True).encode() + b"\n"
            manifest = images / MANIFEST
            manifest.write_bytes(text)
            for path in [manifest, *(images / n for n in sorted(package.payloads()))]:
                if path.exists():
                    tar.add(path, f"{folder}/{path.name}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


class PackageFile:
    """An opened package file. Only the manifest and the plain files that it names are ever read; nothing else of the
    archive reaches the disk, whatever its names and kinds say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tar = tarfile.open(path)  # noqa: SIM115  closed by the caller's `with`
            self._members = {m.name.removeprefix("./"): m for m in self._tar.getmembers()}
        except (OSError, tarfile.TarError, EOFError) as err:
            raise ConfigError("the package cannot be read", target=str(path), words=str(err)) from None
        tops = {name.split("/")[0] for name in self._members}
        if len(tops) != 1 or tops & {"", ".", ".."}:
            raise ConfigError(
                "expected one top-level directory in the package", target=str(path), words=", ".join(sorted(tops)[:5])
            )
        self._top = tops.pop()
        self.package: Package = package_from_dict(self._manifest(), f"{path}: {MANIFEST}")
        missing = [name for name in self.package.own() if self._member(name) is None]
        if missing:
            raise ConfigError(
                "the package does not contain its container's image", target=str(path), words=", ".join(missing)
            )

    def __enter__(self) -> PackageFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._tar.close()

    def image(self, name: str) -> IO[bytes] | None:
        """The content of an image file, or None when the package was made without it."""
        member = self._member(name)
        return self._tar.extractfile(member) if member else None

    def size(self, name: str) -> int:
        member = self._member(name)
        return member.size if member else 0

    def _member(self, name: str) -> tarfile.TarInfo | None:
        member = self._members.get(f"{self._top}/{name}")
        return member if member is not None and member.isreg() else None

    def _manifest(self) -> Any:
        member = self._member(MANIFEST)
        if member is None:
            raise ConfigError(f"the package has no {MANIFEST}", target=str(self.path))
        if member.size > _MANIFEST_BYTES:
            raise ConfigError(f"its {MANIFEST} is too large: {member.size} bytes", target=str(self.path))
        file = self._tar.extractfile(member)
        assert file is not None
        try:
            return json.loads(file.read())
        except ValueError as err:
            raise ConfigError(f"its {MANIFEST} is not valid JSON", target=str(self.path), words=str(err)) from None
