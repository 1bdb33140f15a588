"""Bundles in a bucket of a real S3 server: replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import at_most
from s3server import ACCESS, SECRET, S3Server, serve

from sdsk8s.backends.aws import connect
from sdsk8s.backends.aws.bundles import BundleStore, endpoint
from sdsk8s.errors import CloudError
from sdsk8s.model.site import Site


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3") / "buckets"
    with serve(folder) as found:
        (folder / "code").mkdir()
        yield found


def site(server: S3Server, **config: str) -> Site:
    keys = {"AWS_ACCESS_KEY": ACCESS, "AWS_SECRET_KEY": SECRET, "AWS_REGION": "us-west-2", **config}
    return Site(home="/nowhere", config=keys, s3_endpoint=server.url)


def put(store: BundleStore, file: Path, key: str, content: str) -> str:
    sum_ = hashlib.sha256(file.read_bytes()).hexdigest()
    store.put(file, key, content, sum_, encrypt=False, say=lambda _: None)
    return sum_


def test_put_replace_and_state(server: S3Server, tmp_path: Path) -> None:
    store, file, key = BundleStore(site(server), "code"), tmp_path / "x", "small-ops.tbz2"
    assert store.stored(key) is None
    for content in (b"one", b"two" * 5_000_000):
        file.write_bytes(content)
        sum_ = put(store, file, key, f"id-{len(content)}")
        found = store.stored(key)
        assert found is not None
        assert (found.content, found.sha256, found.sum_beside) == (f"id-{len(content)}", sum_, True)
        assert (server.folder / "code" / key).read_bytes() == content
        assert (server.folder / "code" / f"{key}.sha256").read_text() == f"{sum_}  {key}\n"
    assert not [p.name for p in (server.folder / "code").iterdir() if ".part-" in p.name]


UPLOAD = """
import sys
from pathlib import Path
from sdsk8s.backends.aws import connect
from sdsk8s.backends.aws.bundles import BundleStore
from sdsk8s.model.site import Site
url, access, secret, file, key = sys.argv[1:]
config = {"AWS_ACCESS_KEY": access, "AWS_SECRET_KEY": secret, "AWS_REGION": "us-west-2"}
store = BundleStore(Site(home="/", config=config, s3_endpoint=url), "code")
store.put(Path(file), key, "new", "0" * 64, encrypt=False, say=lambda text: print(text, flush=True))
"""


def test_an_upload_killed_at_any_moment_leaves_the_earlier_bundle_whole(server: S3Server, tmp_path: Path) -> None:
    store, key = BundleStore(site(server), "code"), "killed-ops.tbz2"
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old" * 1000)
    new.write_bytes(os.urandom(60_000_000))
    sum_ = put(store, old, key, "old")
    cut = 0
    for delay in (0.0, 0.05, 0.15, 0.3):
        upload = subprocess.Popen(
            [sys.executable, "-c", UPLOAD, server.url, ACCESS, SECRET, str(new), key], stdout=subprocess.PIPE
        )
        assert upload.stdout is not None and b"uploading" in upload.stdout.readline()
        time.sleep(delay)
        upload.send_signal(signal.SIGKILL)
        upload.wait()
        there = (server.folder / "code" / key).read_bytes()
        assert there in (old.read_bytes(), new.read_bytes())
        if there == old.read_bytes():
            cut += 1
            found = store.stored(key)
            assert found is not None and (found.content, found.sha256) == ("old", sum_)
    assert cut, "no kill came in time"
    # The next one succeeds and removes what the killed ones left.
    sum_ = put(store, new, key, "new")
    found = store.stored(key)
    assert found is not None and found.sha256 == sum_ and found.sum_beside
    assert not [p.name for p in (server.folder / "code").iterdir() if ".part-" in p.name]


def test_faults_are_explained(server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match=r"no such bucket or object|bucket does not exist"):
        BundleStore(site(server), "nobucket").stored("x")
    with pytest.raises(CloudError) as wrong:
        BundleStore(site(server, AWS_SECRET_KEY="another"), "code").stored("x")
    assert "lack the permission" in wrong.value.what or "secret key" in wrong.value.what
    gone = Site(home="/", config={"AWS_ACCESS_KEY": "a", "AWS_SECRET_KEY": "b"}, s3_endpoint="http://127.0.0.1:9")
    with pytest.raises(CloudError, match="does not answer"):
        BundleStore(gone, "code").stored("x")
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(CloudError, match="no AWS credentials") as err:
        BundleStore(Site(home="/", s3_endpoint=server.url), "code").stored("x")
    assert "AWS_ACCESS_KEY" in err.value.next


def test_an_upload_that_is_refused_is_told_in_the_services_words(server: S3Server, tmp_path: Path) -> None:
    store, file = BundleStore(site(server), "code"), tmp_path / "x"
    file.write_bytes(b"1")
    with pytest.raises(CloudError) as err:
        put(store, file, "k" * 2000, "id")
    assert "KeyTooLong" in err.value.words or "InvalidRequest" in err.value.words, err.value.words


def test_a_service_that_takes_connections_and_says_nothing_ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = connect.Config
    monkeypatch.setattr(connect, "Config", lambda **kw: kept(**{**kw, "read_timeout": kw["read_timeout"] / 40}))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        silent = Site(home="/", config={"AWS_ACCESS_KEY": "a", "AWS_SECRET_KEY": "b"}, s3_endpoint=url)
        start = time.monotonic()
        with pytest.raises(CloudError, match="does not answer") as err:
            BundleStore(silent, "code").stored("x")
    assert time.monotonic() - start < at_most(5) and url in err.value.words


def test_endpoints() -> None:
    def of(given: str, own: str = "") -> str:
        return endpoint(Site(home="/", config={"S3_ENDPOINT": given}, s3_endpoint=own))

    assert of("s3-us-west-2.amazonaws.com") == "" and of("") == ""
    assert of("s3.example.org") == "https://s3.example.org"
    assert of("s3-us-west-2.amazonaws.com", "http://10.0.0.1:9000") == "http://10.0.0.1:9000"
