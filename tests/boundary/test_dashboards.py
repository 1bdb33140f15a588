"""`sds kibana` against a server that checks what it is sent, for both kinds of dashboards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_dashboards import FakeDashboards

from sdsk8s.errors import ClusterError
from sdsk8s.verbs.endpoints import dashboards
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

BIN = Path(sys.executable).parent
FOLDERS = {"elasticsearch": "kibana_dashboard_import", "opensearch": "opensearch_dashboards_import"}
HEADERS = {"elasticsearch": "kbn-xsrf", "opensearch": "osd-xsrf"}


def site(folder: Path, engine: str, port: int) -> Path:
    (folder / "config").write_text(f"METRICS_ES_ENGINE: {engine}\nMETRICS_DASHBOARDS_URL: http://127.0.0.1:{port}\n")
    files = folder / "files" / FOLDERS[engine]
    files.mkdir(parents=True)
    for name in ("job", "worker", "sdswatch"):
        objects = [{"type": "dashboard", "id": f"{name}-1", "attributes": {"title": name}}]
        (files / f"{name}-dashboards.json").write_text(json.dumps({"version": "7.10.2", "objects": objects}))
    return folder


def sds(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "none")}
    return subprocess.run(
        [str(BIN / "sds"), "kibana", *argv], env=env, capture_output=True, text=True, cwd=home, check=False,
        timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
def test_import_export_delete_and_again(tmp_path: Path, engine: str) -> None:
    with FakeDashboards(HEADERS[engine]).running() as server:
        server.away = 1  # it is still starting
        home = site(tmp_path, engine, server.port)
        server.objects["dashboard", "own"] = {"type": "dashboard", "id": "own"}
        for _ in range(2):
            done = sds(home, "import", "-f")
            assert done.returncode == 0, done.stderr
            assert len(server.objects) == 6 and server.default == "logstash-*"
        assert sds(home, "export").returncode == 0
        lines = [json.loads(line) for line in (home / "dashboards.ndjson").read_text().splitlines()]
        assert {(o["type"], o["id"]) for o in lines} == set(server.objects)
        assert sds(home, "delete", "-f").returncode == 0
        assert set(server.objects) == {("dashboard", "own")}, "what is not ours stays"
        assert "did not exist" in sds(home, "delete", "-f").stdout


def test_an_object_that_is_refused_fails_the_verb_and_is_named(tmp_path: Path) -> None:
    with FakeDashboards("kbn-xsrf").running() as server:
        home = site(tmp_path, "elasticsearch", server.port)
        server.broken = {"worker-1"}
        done = sds(home, "import", "-f")
        assert done.returncode == 1 and "worker-1" in done.stderr and "missing_references" in done.stderr


def test_bad_files_are_named_before_anything_is_sent(tmp_path: Path) -> None:
    with FakeDashboards("kbn-xsrf").running() as server:
        home = site(tmp_path, "elasticsearch", server.port)
        path = home / "files" / FOLDERS["elasticsearch"] / "sdswatch-dashboards.json"
        path.write_text("{")
        done = sds(home, "import", "-f")
        assert done.returncode == 1 and str(path) in done.stderr and not server.objects


def test_without_a_terminal_and_without_f_it_is_refused(tmp_path: Path) -> None:
    home = site(tmp_path, "elasticsearch", 1)
    done = sds(home, "import")
    assert done.returncode == 1 and "-f" in done.stderr


def test_a_site_of_machines_needs_no_cluster(tmp_path: Path) -> None:
    """Without METRICS_DASHBOARDS_URL they are at METRICS_FQDN:5601, and no kubeconfig is read."""
    (tmp_path / "config").write_text("METRICS_FQDN: dashboards.example\n")
    (tmp_path / "site.yaml").write_text("components: {metrics: {where: ssh}}\n")
    options = Options(home=str(tmp_path), kubeconfig=str(tmp_path / "none"))
    with dashboards(Session(options), "METRICS") as server:
        assert server.base == "http://dashboards.example:5601"
    (tmp_path / "site.yaml").write_text("")
    with pytest.raises(ClusterError), dashboards(Session(options), "METRICS"):
        pass
