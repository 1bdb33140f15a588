"""What the folders of dockerfiles/ say about themselves: kinds, their files, and size budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdsk8s.errors import ConfigError, ImageError
from sdsk8s.model.names import unknown
from sdsk8s.site.yamlfile import read_mapping

TOOLS = "tools"  # copied into every build
_KEYS = ("folders", "target", "parent", "args")
MB = 1_000_000


@dataclass(frozen=True)
class Kind:
    """name     folder of dockerfiles/
    folders  laid over each other; an absolute path is a folder of a component's own
    target   stage, or None for the last
    parent   build argument that takes the parent's reference
    args     build arguments
    """

    name: str
    folders: tuple[str, ...]
    target: str | None = None
    parent: str = "BASE"
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Budgets:
    """limits: {image or kind: MB}"""

    limits: Mapping[str, int]

    def limit(self, image: str, kind: str, own: int | None = None) -> int:
        """Bytes that the image may have, uncompressed. own: MB that the image itself asks for."""
        return (own or next(self.limits[k] for k in (kind, image, "default") if k in self.limits)) * MB

    def words(self, image: str, kind: str, size: int, own: int | None = None) -> str:
        """`mozart: 168 MB (limit 400 MB)`"""
        return f"{image}: {size / MB:.0f} MB (limit {self.limit(image, kind, own) // MB} MB)"

    def check(self, image: str, kind: str, size: int, own: int | None = None) -> None:
        """ImageError when an image is over its budget."""
        if size > self.limit(image, kind, own):
            raise ImageError(
                f"image {image} is over its size budget",
                target=self.words(image, kind, size, own),
                words="docker history shows the layers",
                next="leave requirements out (exclude.txt beside the packages), or set `budget` of the image",
            )


def load_kind(dockerfiles: Path, name: str) -> Kind:
    """The kind of that name. ConfigError names the nearest folder when there is none."""
    path = dockerfiles / "kinds.yaml"
    data = read_mapping(path).get(name) or {}
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f'unknown key "{key}"', target=f"{path}, {name}", words=unknown(str(key), _KEYS))
    folders = tuple(str(f) for f in data.get("folders") or (name,))
    known = sorted(p.parent.name for p in dockerfiles.glob("*/Dockerfile"))
    for folder in folders:
        if not (dockerfiles / folder).is_dir():
            raise ConfigError(f'no folder "{folder}"', target=str(dockerfiles), words=unknown(folder, known))
    return Kind(
        name=name,
        folders=folders,
        target=data.get("target"),
        parent=str(data.get("parent", "BASE")),
        args={str(k): str(v) for k, v in (data.get("args") or {}).items()},
    )


def load_budgets(dockerfiles: Path) -> Budgets:
    """`budgets.yaml`. ConfigError when a number is missing or is none."""
    path = dockerfiles / "budgets.yaml"
    data = read_mapping(path)
    try:
        limits = {str(k): int(v) for k, v in data["budgets"].items()}
        limits["default"]
        return Budgets(limits)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise ConfigError("the size budgets cannot be read", target=str(path), words=repr(err)) from None
