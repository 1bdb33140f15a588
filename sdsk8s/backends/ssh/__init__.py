"""The only room that imports `fabric`: hosts of components that are not migrated yet."""

from __future__ import annotations

from sdsk8s.backends.ssh.host import HostError, HostTarget

__all__ = ["HostError", "HostTarget"]
