"""Services of the shipped catalogue: what must not be reachable."""

from __future__ import annotations

from pathlib import Path

import yaml

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"


def test_no_service_of_the_catalogue_exposes_supervisord() -> None:
    """The legacy machines had supervisord's web port 9001 on all interfaces."""
    services = [
        doc
        for file in sorted(MANIFESTS.rglob("*.yaml"))
        for doc in yaml.safe_load_all(file.read_text())
        if isinstance(doc, dict) and doc.get("kind") == "Service"
    ]
    assert services
    for service in services:
        for port in service["spec"].get("ports", ()):
            assert 9001 not in (port["port"], port.get("targetPort")), service["metadata"]["name"]
