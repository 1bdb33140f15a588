"""Looking into image registries."""

from sdsk8s.backends.registry.client import Registry
from sdsk8s.backends.registry.reference import Reference

__all__ = ["Reference", "Registry"]
