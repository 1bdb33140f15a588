"""The parts of the `kubernetes` package that we use, without what it loads at once for cases that are not ours.

Those are the classes of every API group (700 modules) and the libraries of OIDC logins: more time than all the rest of
a `sdsk8s status`. Every verb shares this one way in.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from sdsk8s.backends.deferred import defer, later, stand_ins

with stand_ins({"importlib.metadata": {"version": later("importlib.metadata", "version")}}):
    urllib3: Any = import_module("urllib3")
for _package in ("kubernetes", "kubernetes.client", "kubernetes.client.models"):
    defer(_package)
_client: Any = sys.modules["kubernetes.client"]
with stand_ins(
    {"multiprocessing": {"cpu_count": lambda: os.cpu_count() or 1}},
    {"subprocess": {}},
    {"tempfile": {}},
    {"requests": {}, "requests.utils": {"should_bypass_proxies": later("requests.utils", "should_bypass_proxies")}},
    {"oauthlib": {}, "oauthlib.oauth2": {}},
    {"requests_oauthlib": {"OAuth2Session": later("requests_oauthlib", "OAuth2Session")}},
):
    # By full names: `from kubernetes.client import rest` would ask the package, and load all of it.
    Configuration: Any = import_module("kubernetes.client.configuration").Configuration
    RESTClientObject: Any = import_module("kubernetes.client.rest").RESTClientObject
    # The two names that kubernetes.config takes from its neighbour.
    _client.Configuration = Configuration
    _client.ApiClient = later("kubernetes.client.api_client", "ApiClient")
    config: Any = import_module("kubernetes.config")
    _loader: Any = import_module("kubernetes.config.kube_config")
    ExecProvider: Any = import_module("kubernetes.config.exec_provider").ExecProvider
KubeConfigLoader: Any = _loader.KubeConfigLoader
KubeConfigMerger: Any = _loader.KubeConfigMerger
FileOrData: Any = _loader.FileOrData
DEFAULT_LOCATION = "~/.kube/config"
