"""`sds ship` of a site that ships to a bucket: a real S3 server; workers in the cluster stay as they are."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import System
from s3server import ACCESS, SECRET, S3Server, serve

pytestmark = pytest.mark.lab
BUNDLES = ("dumby-job_worker-large-demo.tbz2", "dumby-job_worker-small-demo.tbz2")


@pytest.fixture
def bucket(system: System, tmp_path: Path) -> Iterator[S3Server]:
    """The demo site with a bucket to ship to; afterwards as it was."""
    files = [system.home / "config", system.home / "site.yaml"]
    before = [f.read_text() for f in files]
    with serve(tmp_path / "buckets") as server:
        (server.folder / "code").mkdir()
        config, site = (yaml.safe_load(text) for text in before)
        config |= {
            "CODE_BUCKET": "code", "AWS_ACCESS_KEY": ACCESS, "AWS_SECRET_KEY": SECRET, "AWS_REGION": "us-west-2"
        }  # fmt: skip
        site["ship"] = {"to": ["s3"], "s3_endpoint": server.url}
        for file, data in zip(files, (config, site), strict=True):
            file.write_text(yaml.safe_dump(data, sort_keys=False))
        yield server
    for file, text in zip(files, before, strict=True):
        file.write_text(text)


def test_bundles_of_all_queues_are_put_into_the_bucket_once(system: System, bucket: S3Server) -> None:
    generations, folder = system.workloads(), bucket.folder / "code"
    plan = system.sds("ship", "--dry-run").out
    assert all(name in plan for name in BUNDLES) and not list(folder.iterdir())
    done = system.sds("ship")
    assert SECRET not in done.out + done.err + plan
    assert sorted(p.name for p in folder.iterdir() if p.is_file()) == sorted(
        [*BUNDLES, *(f"{name}.sha256" for name in BUNDLES)]
    )
    for name in BUNDLES:
        data = (folder / name).read_bytes()
        assert (folder / f"{name}.sha256").read_text() == f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        with tarfile.open(folder / name) as tar:
            assert any(m.endswith("hysds/hysds/__init__.py") for m in tar.getnames())
    times = {p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_file()}
    assert "nothing to do" in system.sds("ship").out
    assert {
        p.name: p.stat().st_mtime_ns for p in folder.iterdir() if p.is_file()
    } == times and system.workloads() == generations
    # A bucket that is not there: the server's words, before anything is packed.
    config = system.home / "config"
    config.write_text(config.read_text().replace("CODE_BUCKET: code", "CODE_BUCKET: elsewhere"))
    refused = system.sds("ship", ok=False)
    assert refused.code == 1 and "elsewhere" in refused.err
