"""`-d/--debug` and SDS_DEBUG: requests, retries, plan decisions and commands, on stderr and in the run's debug.log.

Modules log to children of the logger "sdsk8s" with logging.getLogger and know nothing of this one. Every line is masked
before it is written; bodies of requests and answers are not logged at all.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sdsk8s.model.secrets import without_secrets

FILE = "debug.log"
_LOGGER = logging.getLogger("sdsk8s")
_FORM = "%(asctime)s.%(msecs)03d %(name)s: %(message)s"


class _Masked(logging.Formatter):
    """Lines without secrets; the values to hide are shared by all handlers."""

    hidden: set[str] = set()

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record), self.hidden)


class _Stderr(logging.Handler):
    """Whatever sys.stderr is when a line is written."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


def active() -> bool:
    """Whether debug lines are written."""
    return any(isinstance(h, _Stderr) for h in _LOGGER.handlers)


def start() -> None:
    """Write debug lines to stderr from now on. A second call changes nothing."""
    if active():
        return
    handler = _Stderr()
    handler.setFormatter(_Masked(f"debug: {_FORM}", "%H:%M:%S"))
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False


def hide(values: Iterable[str]) -> None:
    """Values that are secret wherever they stand, such as passwords of the site's configuration."""
    _Masked.hidden |= {v for v in values if v}


def to_file(folder: Path) -> None:
    """Also append the lines to debug.log of a run's folder, readable for its owner only. Without start() nothing."""
    path = folder / FILE
    if not active() or any(getattr(h, "path", None) == path for h in _LOGGER.handlers):
        return
    handler = _File(path)
    handler.setFormatter(_Masked(_FORM, "%Y-%m-%dT%H:%M:%S"))
    _LOGGER.addHandler(handler)


def stop() -> None:
    """Write no more lines."""
    for handler in list(_LOGGER.handlers):
        _LOGGER.removeHandler(handler)
        handler.close()
    _LOGGER.setLevel(logging.NOTSET)
    _LOGGER.propagate = True
    _Masked.hidden = set()


class _File(logging.Handler):
    """Appends whole lines, so that several threads do not mix them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        os.write(self._descriptor, (self.format(record) + "\n").encode(errors="replace"))

    def close(self) -> None:
        super().close()
        os.close(self._descriptor)
