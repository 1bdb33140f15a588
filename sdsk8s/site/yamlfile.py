"""YAML files with errors that name line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from sdsk8s.errors import ConfigError


def read_all(path: Path) -> list[Any]:
    """Every document of the file. ConfigError with line and column for bad YAML, and for a missing file."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ConfigError(f"the file {path.name} does not exist", target=str(path)) from None
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"the file {path.name} cannot be read", target=str(path), words=str(err)) from None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return [doc for doc in yaml.load_all(text, Loader=loader) if doc is not None]
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError("this is not valid YAML", target=place, words=str(err.problem or err)) from None
    except yaml.YAMLError as err:
        raise ConfigError("this is not valid YAML", target=str(path), words=str(err)) from None


def read_mapping(path: Path) -> dict[str, Any]:
    """The file's only document, which must be a mapping; an empty file is an empty mapping."""
    docs = read_all(path)
    if not docs:
        return {}
    if len(docs) > 1 or not isinstance(docs[0], dict):
        raise ConfigError("expected a mapping of keys to values", target=str(path))
    return docs[0]
