"""Writes the folder of a new component from the files of `skeleton/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sdsk8s.errors import RefusedError

SKELETON = Path(__file__).parent / "skeleton"
FILES = {
    "component.yaml": "component.yaml",
    "workload.yaml": "@NAME@.yaml",
    "settings.conf": "@NAME@.conf",
}
IMAGE_FILES = {"image/Dockerfile": "image/Dockerfile", "image/serve.py": "image/serve.py"}
"""Only where the component builds its own image."""


def write_component(folder: Path, values: Mapping[str, str], *, with_image: bool) -> list[str]:
    """Write the files; their names, relative to `folder`. RefusedError when the folder exists: nothing is overwritten.

    values: {NAME, IMAGE, PORT}: what stands for `@KEY@` in names and contents
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise RefusedError(
            "refusing to overwrite an existing folder",
            target=str(folder),
            next="choose another name, or edit its files",
        ) from None
    except OSError as err:
        raise RefusedError("cannot create the component's folder", target=str(folder), words=str(err)) from None
    written = []
    for source, target in {**FILES, **(IMAGE_FILES if with_image else {})}.items():
        name = _filled(target, values)
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(_filled((SKELETON / source).read_text(), values))
        written.append(name)
    return written


def _filled(text: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text
