"""Package files and rules: the legacy layout, nothing unsafe, nothing twice."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from legacy_shim.verbs.rules import read_rules, rule_id, store
from sdsk8s.errors import ConfigError
from sdsk8s.model.package import folder_name, package_from_dict
from sdsk8s.site.package import PackageFile, write_package

MANIFEST: dict[str, Any] = {
    "containers": {"id": "job:1.0", "url": "s3://h/b/job-1.0.tar.gz"},
    "job_specs": [{
        "id": "spec:1.0", "container": "job:1.0",
        "dependency_images": [{"container_image_name": "dep", "container_image_url": "s3://h/b/dep.tar.gz"}],
    }],
    "hysds_ios": [{"id": "io:1", "job-specification": "spec:1.0", "component": "tosca", "allowed_accounts": ["a"]}],
    "user_rules": {"mozart": [{"rule_name": "r"}], "grq": []},
}  # fmt: skip


def local() -> dict[str, Any]:
    data = json.loads(json.dumps(MANIFEST))
    data["containers"]["url"] = "job-1.0.tar.gz"
    data["job_specs"][0]["dependency_images"][0]["container_image_url"] = "dep.tar.gz"
    return {"containers": data["containers"], "job_specs": data["job_specs"]}


def test_layout_of_a_package_file(tmp_path: Path) -> None:
    package = package_from_dict({**MANIFEST, **local()}, "test").without_accounts()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "job-1.0.tar.gz").write_bytes(b"image")
    name = folder_name("job:1.0")
    target = tmp_path / f"{name}.tar"
    write_package(package, name, tmp_path / "images", target)
    with tarfile.open(target) as tar:
        assert tar.getnames() == ["job-1.0.sdspkg/manifest.json", "job-1.0.sdspkg/job-1.0.tar.gz"]
    with PackageFile(target) as opened:
        assert opened.package == package and "allowed_accounts" not in opened.package.hysds_ios[0]
        image = opened.image("job-1.0.tar.gz")
        assert image is not None and image.read() == b"image"
        assert opened.image("dep.tar.gz") is None


def test_images_move_with_their_documents() -> None:
    package = package_from_dict({**MANIFEST, **local()}, "test")
    moved = package.moved({"job-1.0.tar.gz": "s3://x/y/job-1.0.tar.gz"})
    assert moved.container["url"] == "s3://x/y/job-1.0.tar.gz"
    assert moved.job_specs[0]["dependency_images"][0]["container_image_url"] == "dep.tar.gz"
    assert package.container["url"] == "job-1.0.tar.gz", "the package itself stays as it is"


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def link(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([(tarfile.TarInfo("../x"), b"")], "one top-level directory"),
        ([(tarfile.TarInfo("/etc/x"), b"")], "one top-level directory"),
        ([(tarfile.TarInfo("a/manifest.json"), b"{}"), (tarfile.TarInfo("b/x"), b"")], "one top-level directory"),
        ([(link("a/manifest.json", "/etc/passwd"), b"")], "has no manifest.json"),
        ([(tarfile.TarInfo("a/manifest.json"), b"{")], "is not valid JSON"),
        ([(tarfile.TarInfo("a/manifest.json"), b"[]")], "not an object"),
        ([(tarfile.TarInfo("a/manifest.json"), b'{"containers": {}}')], "not an object with an id"),
        (
            [(tarfile.TarInfo("a/manifest.json"), b'{"containers": {"id": "c", "url": "../../etc/passwd"}}')],
            "not a file of the package",
        ),
        (
            [(tarfile.TarInfo("a/manifest.json"), b'{"containers": {"id": "c", "url": "i"}}')],
            "does not contain its container",
        ),
    ],
)
def test_hostile_and_broken_packages_are_refused(tmp_path: Path, members: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        PackageFile(tar_of(tmp_path / "p.tar", *members))
    assert [p.name for p in tmp_path.iterdir()] == ["p.tar"], "nothing was unpacked"


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.tar").write_text("hello")
    with pytest.raises(ConfigError, match="cannot be read"):
        PackageFile(tmp_path / "p.tar")


class Memory:
    """The few calls of the engine that rules need; the engine itself is asked in the cluster suite."""

    def __init__(self) -> None:
        self.docs: dict[str, dict[str, Any]] = {}

    def all(self, index: str) -> list[tuple[str, dict[str, Any]]]:
        return list(self.docs.items())

    def get(self, index: str, doc_id: str) -> dict[str, Any] | None:
        return self.docs.get(doc_id)

    def put(self, index: str, doc_id: str, document: dict[str, Any]) -> None:
        self.docs[doc_id] = document


def test_importing_rules_twice_changes_nothing() -> None:
    engine = Memory()
    engine.docs["old-id"] = {"rule_name": "a", "query_string": "old"}
    rules = [{"rule_name": "a", "query_string": "new"}, {"rule_name": "b"}, {"query_string": "nameless"}]
    assert store(engine, "i", rules) == (2, 1)
    assert engine.docs["old-id"]["query_string"] == "new" and "creation_time" in engine.docs["old-id"]
    assert store(engine, "i", rules) == (0, 3) and len(engine.docs) == 3
    assert rule_id({"q": 1, "creation_time": "x"}) == rule_id({"q": 1})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", 'no list "mozart"'),
        ('{"mozart": []}', 'no list "grq"'),
        ('{"mozart": [1], "grq": []}', "rule 1"),
        ("x", "not valid JSON"),
    ],
)
def test_a_wrong_rules_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_rules(path)
