"""A kubeconfig of two contexts: everything that a verb does goes to the cluster of the site."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from fake_apiserver import FakeApiServer
from fake_pod import PODS, add_pod

from sdsk8s.cli.group import cli
from sdsk8s.model.names import DRIFT


@pytest.fixture
def servers() -> Iterator[dict[str, FakeApiServer]]:
    made = {name: FakeApiServer() for name in ("theirs", "ours")}
    yield made
    for server in made.values():
        server.close()


def kubeconfig(path: Path, servers: dict[str, FakeApiServer], current: str) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": current,
                "clusters": [{"name": n, "cluster": {"server": s.url}} for n, s in servers.items()],
                "users": [{"name": "me", "user": {"token": "t"}}],
                "contexts": [{"name": n, "context": {"cluster": n, "user": "me"}} for n in servers],
            }
        )
    )
    return path


@pytest.fixture
def run(tmp_path: Path, servers: dict[str, FakeApiServer]) -> Callable[..., str]:
    """Run `sdsk8s` on a site whose context is "ours", with a kubeconfig whose current context is "theirs"."""
    home = tmp_path / "sds"
    (home / "catalogue/box").mkdir(parents=True)
    (home / "config").write_text("")
    (home / "site.yaml").write_text(
        f"context: ours\nmanifests: [{home}/catalogue]\nsource: {tmp_path}/ops\n"
        "components: {box: {develop: true}}\n"
    )
    (home / "catalogue/box/component.yaml").write_text(
        "name: box\nimages: {box: {dockerfile: worker, packages: [pkg]}}\n"
    )
    config = kubeconfig(tmp_path / "kubeconfig", servers, "theirs")
    for server in servers.values():
        add_pod(server, "box-1", tmp_path / "volume")

    def call(*argv: str) -> str:
        env = {"SDS_HOME": str(home), "SDS_KUBECONFIG": str(config)}
        done = CliRunner().invoke(cli, list(argv), env=env, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


def marked(server: FakeApiServer) -> bool:
    return DRIFT in (server.objects[PODS]["box-1"]["metadata"].get("annotations") or {})


def test_cp_marks_the_pod_that_it_copies_to(
    tmp_path: Path, servers: dict[str, FakeApiServer], run: Callable[..., str]
) -> None:
    (tmp_path / "file").write_text("new")
    to = tmp_path / "image"
    to.mkdir()
    out = json.loads(run("cp", str(tmp_path / "file"), f"pod/box-1:{to}/", "--ephemeral", "--no-restart", "-o", "json"))
    assert out["pods"][0]["state"] == "done" and (to / "file").read_text() == "new"
    assert marked(servers["ours"]) and not marked(servers["theirs"])
    assert servers["theirs"].requests == []


def test_update_copy_marks_the_pod_that_it_copies_to(
    tmp_path: Path, servers: dict[str, FakeApiServer], run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ops/pkg").mkdir(parents=True)
    (tmp_path / "ops/pkg/a.py").write_text("A = 1\n")
    code = tmp_path / "code"
    (code / "pkg").mkdir(parents=True)
    monkeypatch.setattr("sdsk8s.verbs.update_copy.CODE", str(code))
    for server in servers.values():
        server.objects[PODS]["box-1"]["metadata"]["labels"]["sdsk8s/supervised"] = "true"
    out = json.loads(run("update", "box", "--copy", "--yes", "-o", "json"))
    assert out["pods"][0]["state"] == "done" and (code / "pkg/a.py").read_text() == "A = 1\n"
    assert marked(servers["ours"]) and servers["theirs"].requests == []
