"""Field names and types of manifests, by the schemas of the package kubernetes-validate. No network is asked."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

from sdsk8s.lint.finding import fault
from sdsk8s.model import kube
from sdsk8s.model.finding import Finding
from sdsk8s.model.kube import Object

VERSION = "1.35"
"""Kubernetes whose schemas are meant: the one that the lab runs."""


def available() -> bool:
    """True when the package is installed (`pip install "sdsk8s[lint]"`)."""
    return importlib.util.find_spec("kubernetes_validate") is not None


def schema_findings(objects: Iterable[Object]) -> list[Finding]:
    """Objects that the API server would refuse or whose unknown fields it would drop."""
    validator: Any = importlib.import_module("kubernetes_validate")
    utils: Any = importlib.import_module("kubernetes_validate.utils")
    if not hasattr(utils.schema_contents, "cache_info"):  # it reads megabytes of definitions again for each object
        utils.schema_contents = functools.cache(utils.schema_contents)
    found = []
    for obj in objects:
        if not obj.get("apiVersion") or not obj.get("kind"):
            found.append(fault("schema", kube.title(obj), "expected apiVersion and kind"))
            continue
        try:
            validator.validate(dict(obj), VERSION, strict=True)
        except validator.ValidationError as err:
            path = ".".join(str(part) for part in err.path)
            found.append(fault("schema", kube.title(obj), f"{path or 'object'}: {err.message[:300]}"))
        except validator.SchemaNotFoundError as err:
            found.append(fault("schema", kube.title(obj), str(err.message)))
    return found
