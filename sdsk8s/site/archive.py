"""Packs archives so that the same content is the same bytes, on any machine and at any time."""

from __future__ import annotations

import bz2
import glob
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sdsk8s.errors import StepError
from sdsk8s.model.bundle import Archive, BundledFile

_EPOCH = 315532800  # 1980-01-01
_LEVEL = 9


def pack(archive: Archive, target: Path) -> tuple[str, int]:
    """Write `target` and `target.sha256`; (sha256, bytes). An archive has mode 0600, since it may hold secrets.

    Sorted members, fixed times, owners and compression level. A pack that is killed leaves an earlier file whole.
    StepError when a file is no longer what it was when the archive was planned.
    """
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in target.parent.glob(f"{glob.escape(target.name)}.part-*"):
        old.unlink(missing_ok=True)  # of a ship that was killed
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    seen = hashlib.sha256()
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as raw:
            with (
                bz2.BZ2File(raw, "wb", compresslevel=_LEVEL) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
            ):
                for entry in archive.entries:
                    _add(tar, entry, archive.file)
            raw.flush()
            os.fsync(raw.fileno())
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                seen.update(block)
        size = part.stat().st_size
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    target.with_name(target.name + ".sha256").write_text(f"{seen.hexdigest()}  {Path(archive.file).name}\n")
    return seen.hexdigest(), size


def _add(tar: tarfile.TarFile, entry: BundledFile, archive: str) -> None:
    info = tarfile.TarInfo(entry.path)
    info.size, info.mode, info.mtime = entry.size, entry.mode, _EPOCH
    with _content(entry) as content:
        reader = _Hashing(content)
        try:
            tar.addfile(info, reader)
        except OSError as err:
            raise StepError("a file changed while it was packed", target=entry.place, words=str(err)) from None
        if reader.seen.hexdigest() != entry.sha256 or content.read(1):
            raise StepError(
                "a file changed while it was packed",
                target=entry.place or f"{archive}: {entry.path}",
                next="ship again",
            )


@contextmanager
def _content(entry: BundledFile) -> Iterator[IO[bytes]]:
    try:
        with open(entry.place, "rb") if entry.place else io.BytesIO(entry.data) as file:
            yield file
    except FileNotFoundError as err:
        raise StepError("a file vanished while it was packed", target=entry.place, words=str(err)) from None


class _Hashing:
    def __init__(self, content: IO[bytes]) -> None:
        self.content, self.seen = content, hashlib.sha256()

    def read(self, count: int = -1) -> bytes:
        data = self.content.read(count)
        self.seen.update(data)
        return data
