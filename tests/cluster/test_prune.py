"""`images prune` on the lab: an image that nobody needs goes, all that runs or could come back stays."""

from __future__ import annotations

import json

import pytest
from conftest import System, relabelled

from sdsk8s.backends.registry import Registry

pytestmark = pytest.mark.lab


def test_what_nobody_needs_goes_and_the_rest_stays(system: System) -> None:
    registry = Registry()
    running = system.get("deployment", "mozart-api")["spec"]["template"]["spec"]["containers"][0]["image"]
    unused = relabelled(registry, running, "0123456789ab", "unused")
    release = relabelled(registry, running, "1.0-test", "release")
    history = system.sdsk8s("history", "mozart", "-o", "json").out
    generations = system.workloads()
    young = system.sdsk8s("images", "prune", "--dry-run")
    assert "0123456789ab" not in young.out and "younger than 30 days" in young.out
    plan = system.sdsk8s("images", "prune", "--dry-run", "--older-than", "0").out
    assert "0123456789ab" in plan and "is tagged 1.0-test" in plan and registry.digest(unused)
    refused = system.sdsk8s("images", "prune", "--older-than", "0", ok=False)
    assert refused.code == 4 and registry.digest(unused)
    done = system.sdsk8s("images", "prune", "--older-than", "0", "--yes")
    assert "done" in done.out and registry.digest(unused) is None
    assert registry.digest(release) is not None and registry.digest(running) is not None
    digests = [d for r in json.loads(history)["revisions"] for ref, d in r["images"].items() if "/demo/mozart:" in ref]
    repository = unused.rpartition(":")[0]
    assert digests and all(registry.digest(f"{repository}@{digest}") for digest in digests)
    assert system.workloads() == generations
    assert "0123456789ab" not in system.sdsk8s("images", "prune", "--dry-run", "--older-than", "0").out
    registry.delete(release)
