"""Where the shipped manifests and dockerfiles are: in a checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from sdsk8s.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """The shipped folder of that name (`manifests` or `dockerfiles`)."""
    for candidate in (_PACKAGE / "data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise ConfigError(f"the shipped folder {name} is missing", target=str(_PACKAGE), next="install sdsk8s again")
