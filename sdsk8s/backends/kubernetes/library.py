"""The parts of the `kubernetes` package that we use, without the classes of every API group that it loads at once.

Those are 700 modules, and more time than all the rest of a `sdsk8s status`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from sdsk8s.backends.deferred import defer

for _package in ("kubernetes", "kubernetes.client", "kubernetes.client.models"):
    defer(_package)
_client: Any = sys.modules["kubernetes.client"]
# By full names: `from kubernetes.client import rest` would ask the package, and load all of it.
Configuration: Any = import_module("kubernetes.client.configuration").Configuration
RESTClientObject: Any = import_module("kubernetes.client.rest").RESTClientObject
# The two names that kubernetes.config takes from its neighbour.
_client.Configuration = Configuration
_client.ApiClient = import_module("kubernetes.client.api_client").ApiClient
config: Any = import_module("kubernetes.config")
