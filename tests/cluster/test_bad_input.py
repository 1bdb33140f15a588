"""Bad input ends with one clear error each, before anything is changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import System, at_most

pytestmark = pytest.mark.lab


@pytest.fixture
def copy(bare_system: System, tmp_path: Path) -> System:
    """The same site in a folder that a test may break."""
    home = tmp_path / "sds"
    shutil.copytree(bare_system.home, home, ignore=shutil.ignore_patterns("runs"))
    return System(bare_system.lab, home, bare_system.tree, env={**bare_system.env, "SDS_HOME": str(home)})


def test_no_configuration(copy: System) -> None:
    (copy.home / "config").unlink()
    done = copy.sds("start", "all", "-f", ok=False)
    assert done.code == 1 and str(copy.home / "config") in done.err and "Traceback" not in done.err


def test_bad_yaml_names_line_and_column(copy: System) -> None:
    (copy.home / "config").write_text("A: 1\nB: [1\nC: 2\n")
    done = copy.sds("start", "all", "-f", ok=False)
    assert done.code == 1 and f"{copy.home}/config:3:2" in done.err


def test_misspelt_component(copy: System) -> None:
    done = copy.sdsk8s("start", "mozrat", "--yes", ok=False)
    assert done.code == 2 and 'did you mean "mozart"?' in done.err
    assert copy.sds("start", "mozrat", "-f", ok=False).code == 2


def test_no_cluster(copy: System) -> None:
    done = copy.sdsk8s("start", "metrics", "--yes", ok=False, KUBECONFIG="/nonexistent")
    assert done.code == 1 and "no cluster is configured" in done.err and "KUBECONFIG" in done.err


def test_wrong_context_names_the_known_ones(copy: System) -> None:
    done = copy.sdsk8s("status", "--context", "prodction", ok=False)
    assert done.code == 1 and "prodction" in done.err and "known:" in done.err


def changed_kubeconfig(copy: System, tmp_path: Path, change) -> str:
    data = yaml.safe_load(Path(copy.lab.kubeconfig).read_text())
    change(data)
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(data))
    path.chmod(0o600)
    return str(path)


def test_api_server_that_does_not_answer(copy: System, tmp_path: Path) -> None:
    def change(data: dict) -> None:
        data["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"

    done = copy.sdsk8s("stop", "metrics", "--yes", ok=False, KUBECONFIG=changed_kubeconfig(copy, tmp_path, change))
    assert done.code == 1 and "does not answer" in done.err and "refused" in done.err and done.seconds < at_most(30)


def test_expired_credentials(copy: System, tmp_path: Path) -> None:
    def change(data: dict) -> None:
        data["users"][0]["user"] = {"token": "expired"}

    done = copy.sdsk8s("stop", "metrics", "--yes", ok=False, KUBECONFIG=changed_kubeconfig(copy, tmp_path, change))
    assert done.code == 1 and "rejected the credentials" in done.err


def test_forbidden_account_is_told_what_is_missing(copy: System, tmp_path: Path) -> None:
    copy.run("kubectl", "create", "namespace", "sds", ok=False)
    copy.kubectl("create", "serviceaccount", "nobody", ok=False)
    token = copy.kubectl("create", "token", "nobody").out.strip()

    def change(data: dict) -> None:
        data["users"][0]["user"] = {"token": token}

    kubeconfig = changed_kubeconfig(copy, tmp_path, change)
    done = copy.sdsk8s("stop", "metrics", "--yes", ok=False, KUBECONFIG=kubeconfig)
    assert done.code == 1 and "forbidden" in done.err and "sdsk8s doctor" in done.err
    found = copy.sdsk8s("doctor", ok=False, KUBECONFIG=kubeconfig)
    assert found.code == 1 and "kind: Role" in found.out and '"leases"' in found.out


def test_missing_template_is_named_with_the_places_looked_at(copy: System) -> None:
    (copy.home / "files" / "datasets.json").unlink()
    done = copy.sds("update", "factotum", "-f", ok=False)
    assert done.code == 1 and "datasets.json" in done.err and str(copy.home / "files") in done.err


def test_no_terminal_and_no_force_is_refused(copy: System) -> None:
    done = copy.sds("reset", "metrics", ok=False)
    assert done.code in (0, 1) and ("-f" in done.err or "nothing to do" in done.out)
    done = copy.sdsk8s("stop", "metrics", ok=False)
    assert done.code in (0, 4)
