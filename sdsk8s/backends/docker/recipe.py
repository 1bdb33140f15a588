"""What can be built, what an engine is asked to build, and what came of it, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sdsk8s.model.image import ImageSpec

Say = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """digest: what manifests get. fact: one line for the table."""

    digest: str
    fact: str


@dataclass(frozen=True)
class Recipe:
    """One reference that can be built. below: reference of what it is FROM ("" for the base); inputs: the files that
    its tag was made from; kept: the running image whose dependency layer is to stay."""

    spec: ImageSpec
    below: str
    inputs: Mapping[str, str]
    kept: str = ""


@dataclass(frozen=True)
class BuildRequest:
    """name        for messages
    ref         tag of the result
    context     tar, closed by the caller
    dockerfile  text of the Dockerfile in it, for error messages
    log         file that takes every line
    """

    name: str
    ref: str
    context: IO[bytes]
    dockerfile: str
    log: Path
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltImage:
    id: str
    ref: str
    size_bytes: int
    seconds: float
