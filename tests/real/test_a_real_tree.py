"""The public HySDS packages on the lab: REST services answer, a job and the job of a user rule are completed.

Their code is not ours and not here. Give a checkout to run this:
    SDSK8S_REAL_TREE    folder with osaka, prov_es, hysds_commons, hysds, mozart and grq2, with the site's patches in it
    SDSK8S_REAL_FILES   the site's ~/.sds/files: index templates and datasets.json
SDSK8S_REAL_SITE        optional: folder of the site that is made, kept between runs
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BIN, ROOT, Lab, System

EXAMPLE = ROOT / "examples" / "hysds-site"
NAMESPACE = "hysds"


def given(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        pytest.skip(f"{variable} is not set: no checkout of the public packages is given")
    return value


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[System]:
    tree, files = given("SDSK8S_REAL_TREE"), given("SDSK8S_REAL_FILES")
    lab: Lab = request.getfixturevalue("lab")
    keep = os.environ.get("SDSK8S_REAL_SITE")
    folder = Path(keep) if keep else tmp_path_factory.mktemp("real")
    env = {
        **os.environ,
        "PATH": f"{BIN}:{lab.tools}:{os.environ['PATH']}",
        "KUBECONFIG": lab.kubeconfig,
        "SDS_HOME": str(folder / "sds"),
    }
    system = System(lab, folder / "sds", folder / "ops", NAMESPACE, env)
    system.run(
        sys.executable, str(EXAMPLE / "prepare.py"), "--tree", tree, "--files", files, "--folder", str(folder),
        "--lab", lab.name,
    )  # fmt: skip
    system.sds("update", "all", "-f", timeout=2400)
    system.sdsk8s("start", "all", "--yes", timeout=1200)
    yield system
    if not keep:
        system.run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")


def fetch(url: str) -> tuple[int, dict[str, object]]:
    with urllib.request.urlopen(url, timeout=60) as reply:
        return reply.status, json.load(reply)


def test_the_rest_services_answer(real: System) -> None:
    for service, path in (("mozart", "/job/submit"), ("grq", "/grq/dataset/index")):
        status, reply = fetch(f"{real.url(service)}/api/v0.1/swagger.json")
        paths = reply["paths"]
        assert status == 200 and isinstance(paths, dict) and path in paths


def test_jobs_are_completed_and_a_user_rule_submits_another(real: System) -> None:
    done = real.kubectl(
        "exec", "deploy/mozart-api", "-c", "api", "--", "python", "-c", (EXAMPLE / "smoke.py").read_text()
    )
    assert done.out.count("job-completed") >= 3 and "passed in" in done.out


def test_every_component_is_running(real: System) -> None:
    rows = real.sdsk8s("status", "all", "-o", "json", ok=False)
    assert rows.code == 0, rows.out + rows.err


def test_an_audit_of_the_images_finds_nothing(real: System) -> None:
    """Their own budgets count, and what the tree needs may be there."""
    done = real.sdsk8s("images", "audit", ok=False)
    assert done.code == 0, done.out + done.err
