"""One builder per image on this host: whoever comes second waits, and then finds the image in the registry."""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_threads: dict[str, threading.Lock] = {}
_guard = threading.Lock()


@contextmanager
def one_at_a_time(ref: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a reference, against threads of this process and other processes of this user.

    A killed process leaves no lock behind: the kernel lets go of it.
    """
    with _guard:
        lock = _threads.setdefault(ref, threading.Lock())
    with lock:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdsk8s" / "builds"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(ref.encode()).hexdigest()[:24]}.lock"
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another run is building {ref}; waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
