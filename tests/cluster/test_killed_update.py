"""An update that was killed in mid-rollout is finished, told and recorded by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import BIN, System, eventually
from tiny import change_code, remove, tiny_site

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def tiny(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running component whose pods take some seconds to become ready: time to kill a rollout."""
    system = tiny_site(lab, tmp_path_factory.mktemp("killed"), "killed")
    path = system.home.parent / "manifests/tiny/tiny.yaml"
    manifest = yaml.safe_load(path.read_text())
    manifest["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {
        "exec": {"command": ["true"]}, "initialDelaySeconds": 6, "periodSeconds": 1,
    }  # fmt: skip
    path.write_text(yaml.safe_dump(manifest))
    system.sdsk8s("start", "tiny", "--yes")
    yield system
    remove(system)


def image(tiny: System) -> str:
    return str(tiny.get("deployment", "tiny")["spec"]["template"]["spec"]["containers"][0]["image"])


def revisions(tiny: System) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tiny.sdsk8s("history", "tiny", "-o", "json").json["revisions"]
    return found


def kill_in_mid_rollout(tiny: System) -> None:
    """An update that dies as soon as the workload is another than before."""

    def generation() -> int:
        return int(tiny.get("deployment", "tiny")["metadata"]["generation"])

    before, recorded = generation(), len(revisions(tiny))
    run = subprocess.Popen(
        [str(BIN / "sdsk8s"), "update", "tiny", "--yes"], env=tiny.env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    eventually(lambda: generation() != before or run.poll() is not None, timeout=120, every=0.2)
    assert run.poll() is None, "the update has ended before candidates: killed"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert len(revisions(tiny)) == recorded


def test_an_update_that_was_killed_in_mid_rollout_is_finished_told_and_recorded(tiny: System) -> None:
    before, recorded = image(tiny), len(revisions(tiny))
    change_code(tiny.tree, "before the kill")
    kill_in_mid_rollout(tiny)
    killed = image(tiny)
    assert killed != before
    done = tiny.sdsk8s("update", "tiny", "--yes", SDS_LOCK_WAIT="60")
    assert "an earlier run that was interrupted" in done.out, done.out
    assert "no change in code or configuration" not in done.out, done.out
    assert image(tiny) == killed
    rows = revisions(tiny)
    assert len(rows) == recorded + 1 and any(killed.endswith(d) for d in rows[0]["images"].values())
    assert "no change in code or configuration" in tiny.sdsk8s("update", "tiny", "--yes").out


def test_a_bad_rollout_that_a_killed_update_left_is_taken_back(tiny: System) -> None:
    def command() -> list[str]:
        found: list[str] = tiny.get("deployment", "tiny")["spec"]["template"]["spec"]["containers"][0]["command"]
        return found

    path = tiny.home.parent / "manifests/tiny/tiny.yaml"
    good, before, recorded = path.read_text(), command(), len(revisions(tiny))
    manifest = yaml.safe_load(good)
    manifest["spec"]["template"]["spec"]["containers"][0]["command"] = ["false"]
    path.write_text(yaml.safe_dump(manifest))
    kill_in_mid_rollout(tiny)
    assert command() == ["false"]
    done = tiny.sdsk8s("update", "tiny", "--yes", ok=False, SDS_LOCK_WAIT="60")
    assert done.code == 1 and "rolled back to the previous revision" in done.out, done.out
    assert command() == before and len(revisions(tiny)) == recorded
    path.write_text(good)
    assert "no change in code or configuration" in tiny.sdsk8s("update", "tiny", "--yes").out


def test_all_leaves_out_what_was_never_started(tiny: System) -> None:
    for verb in ("undo", "redeploy"):
        assert "mozart was never started" in tiny.sdsk8s(verb, "all", "--dry-run").out
        assert tiny.sdsk8s(verb, "mozart", "--dry-run", ok=False).code == 4


def test_an_undo_to_an_image_that_the_registry_has_lost_is_refused(tiny: System) -> None:
    before, oldest = image(tiny), revisions(tiny)[-1]
    (digest,) = oldest["images"].values()
    url = f"http://{tiny.lab.registry}/v2/killed/tiny/manifests/{digest}"
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
    done = tiny.sdsk8s("undo", "tiny", str(oldest["number"]), "--yes", ok=False)
    assert done.code == 4 and "no longer has" in done.err and digest in done.err, done.err
    assert image(tiny) == before
