"""What a bundle holds, that it is the same bytes each time, and what the step that unpacks it refuses."""

from __future__ import annotations

import bz2
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyrage
import pytest

from sdsk8s.backends.bundles import Bundles
from sdsk8s.backends.registry import Registry
from sdsk8s.errors import ConfigError, StepError
from sdsk8s.model.bundle import BundledFile, archive, bundle_from_dict, bundle_name
from sdsk8s.model.component import RULES, Component
from sdsk8s.model.site import Site
from sdsk8s.site.archive import pack

ROOT = Path(__file__).resolve().parents[2]
FETCH = ROOT / "dockerfiles" / "worker" / "bin" / "sds-fetch-bundle"
SPEC = {
    "packages": ["app"],
    "files": [
        {"path": "install.sh", "template": "install.sh", "mode": "0755"},
        {"path": "etc/secret.py", "template": "secret.tmpl", "secret": True},
        {"path": "creds/.boto", "template": "boto", "optional": True},
        {"path": "creds/.aws/credentials", "template": "secret.tmpl", "when": "AWS_ACCESS_KEY"},
    ],
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    files, app = tmp_path / "sds" / "files", tmp_path / "ops" / "app" / "app"
    files.mkdir(parents=True)
    app.mkdir(parents=True)
    (files / "install.sh").write_text("echo {{ queue }} {{ MOZART_PVT_IP }}\n")
    (files / "secret.tmpl").write_text("{{ MOZART_RABBIT_PASSWORD }}\n")
    (app / "__init__.py").write_text("x = 1\n")
    (app.parent / "tool").write_text("#!/bin/sh\n")
    (app.parent / "tool").chmod(0o755)
    (app.parent / ".git").mkdir()
    (app.parent / ".git" / "HEAD").write_text("ref")
    config = {"VENUE": "ops", "MOZART_PVT_IP": "10.1.1.1", "MOZART_RABBIT_PASSWORD": "hunter22hunter"}
    return Site(home=str(tmp_path / "sds"), source=str(tmp_path / "ops"), config=config)


def component(spec: dict[str, Any] = SPEC) -> Component:
    return Component("workers", per_queue="worker", bundle=bundle_from_dict(spec, "component.yaml", RULES))


def members(file: Path) -> dict[str, tuple[int, bytes]]:
    with tarfile.open(file, "r:bz2") as tar:
        return {m.name: (m.mode, tar.extractfile(m).read()) for m in tar}  # type: ignore[union-attr]


def test_content_and_layout(site: Site, tmp_path: Path) -> None:
    whole, code = Bundles(site, Registry()).archives(component(), "small")
    assert whole.file == "small-ops.tbz2"
    pack(whole, tmp_path / whole.file)
    found = members(tmp_path / whole.file)
    assert list(found) == ["app/app/__init__.py", "app/tool", "etc/secret.py", "install.sh"]
    assert found["install.sh"] == (0o755, b"echo small 10.1.1.1\n")
    assert found["app/tool"][0] == 0o755 and found["etc/secret.py"] == (0o600, b"hunter22hunter\n")
    # Pods get their secrets from the cluster: none is in what they fetch.
    pack(code, tmp_path / "code.tbz2")
    assert list(members(tmp_path / "code.tbz2")) == ["app/app/__init__.py", "app/tool", "install.sh"]
    assert b"hunter22" not in bz2.decompress((tmp_path / "code.tbz2").read_bytes())


def test_the_same_input_is_the_same_bytes(site: Site, tmp_path: Path) -> None:
    first, _ = Bundles(site, Registry()).archives(component(), "small")
    sum_, size = pack(first, tmp_path / "a" / "x.tbz2")
    for path in Path(site.source).rglob("*"):
        os.utime(path, (1, 1))
    (Path(site.source) / "app" / ".git" / "HEAD").write_text("another")
    second, _ = Bundles(site, Registry()).archives(component(), "small")
    assert first.id == second.id
    assert pack(second, tmp_path / "b" / "x.tbz2") == (sum_, size)
    data = (tmp_path / "b" / "x.tbz2").read_bytes()
    assert hashlib.sha256(data).hexdigest() == sum_ and len(data) == size
    assert (tmp_path / "b" / "x.tbz2.sha256").read_text().split()[0] == sum_
    assert (tmp_path / "b" / "x.tbz2").stat().st_mode & 0o777 == 0o600
    (Path(site.source) / "app" / "tool").chmod(0o644)
    assert Bundles(site, Registry()).archives(component(), "small")[0].id != first.id


def test_a_file_that_changes_in_mid_pack_is_named_and_the_earlier_bundle_stays(site: Site, tmp_path: Path) -> None:
    whole, _ = Bundles(site, Registry()).archives(component(), "small")
    target = tmp_path / "x.tbz2"
    pack(whole, target)
    before = target.read_bytes()
    (Path(site.source) / "app" / "tool").write_text("#!/bin/SH\n")
    with pytest.raises(StepError, match="changed while it was packed"):
        pack(whole, target)
    assert target.read_bytes() == before and not list(tmp_path.glob("*.part-*"))


def test_what_a_killed_pack_has_left_goes_with_the_next(site: Site, tmp_path: Path) -> None:
    whole, _ = Bundles(site, Registry()).archives(component(), "small")
    (tmp_path / "x[1].tbz2.part-1").write_text("secrets")
    (tmp_path / "x1.tbz2.part-1").touch()
    pack(whole, tmp_path / "x[1].tbz2")
    assert sorted(os.listdir(tmp_path)) == ["ops", "sds", "x1.tbz2.part-1", "x[1].tbz2", "x[1].tbz2.sha256"]


class Taking(Registry):
    """Takes any artifact; `got` is what was in its file."""

    got = b""

    def put_artifact(self, ref: str, file: Path, kind: str, layer: str, notes: Mapping[str, str]) -> str:
        self.got = file.read_bytes()
        return "sha256:1"


def test_the_key_is_made_by_a_push_not_by_a_plan(site: Site) -> None:
    registry, key = Taking(), Path(site.home) / "bundle.key"
    bundles = Bundles(site, registry)
    _, code = bundles.archives(component(), "small")
    mark = bundles.fingerprint()
    assert not key.exists()
    bundles.pack(code.file, code.id)
    bundles.push(code.file, "r/x:1", True)
    assert key.stat().st_mode & 0o777 == 0o600 and Bundles(site, registry).fingerprint() == mark
    packed = pyrage.decrypt(registry.got, [pyrage.x25519.Identity.from_str(key.read_text().strip())])
    assert packed == (Path(site.home) / "code_configs" / code.file).read_bytes()
    key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    with pytest.raises(StepError, match="changed since the plan"):
        bundles.push(code.file, "r/x:1", True)


def test_a_secret_in_a_file_that_is_not_declared_secret_is_refused(site: Site) -> None:
    (Path(site.home) / "files" / "install.sh").write_text("{{ MOZART_RABBIT_PASSWORD }}")
    with pytest.raises(ConfigError, match="MOZART_RABBIT_PASSWORD would be readable") as err:
        Bundles(site, Registry()).archives(component(), "small")
    assert "hunter22" not in str(err.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"package": []}, 'unknown key "package"'),
        ({"import": ["other"]}, "not in bundle.packages"),
        ({"files": [{"path": "../x", "template": "t"}]}, "not a plain relative path"),
        ({"files": [{"path": "x"}]}, "`template` is missing"),
        ({"files": [{"path": "x", "template": "t", "rule": "usr"}]}, 'unknown rule "usr"'),
    ],
)
def test_bad_declarations(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        component({**SPEC, **change})


def test_names_that_are_no_file_names() -> None:
    assert bundle_name("factotum-job_worker-small", "ops") == "factotum-job_worker-small-ops"
    with pytest.raises(ConfigError):
        bundle_name("../x", "ops")


def test_two_files_of_one_path() -> None:
    with pytest.raises(ConfigError, match="same path"):
        archive("q", "q.tbz2", [BundledFile.of("a", b"1", 0o644), BundledFile.of("a", b"2", 0o644)])
    with pytest.raises(ConfigError, match="both a file and a directory"):
        archive("q", "q.tbz2", [BundledFile.of("a", b"1", 0o644), BundledFile.of("a/b", b"2", 0o644)])


# -- the init step, against a registry that may lie ---------------------------------------------------------------


class Lying(http.server.BaseHTTPRequestHandler):
    blobs: dict[str, bytes] = {}

    def do_GET(self) -> None:
        body = self.blobs.get(self.path.rpartition("/")[2])
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[str]:
    Lying.blobs = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lying)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


def publish(data: bytes, media: str = "application/vnd.sds.bundle.v1.tar+bzip2") -> str:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    body = json.dumps({"layers": [{"mediaType": media, "digest": digest, "size": len(data)}]}).encode()
    name = "sha256:" + hashlib.sha256(body).hexdigest()
    Lying.blobs |= {digest: data, name: body}
    return name


def tar(*infos: tuple[str, bytes, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:bz2") as file:
        for name, kind, data in infos:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname = kind, len(data), "/etc/passwd"
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def fetch(registry: str, digest: str, into: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FETCH), "--into", str(into), f"{registry}/demo/bundle/x:1@{digest}"],
        env={**os.environ, "SDS_TERMINATION_LOG": str(into.parent / "words"), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_fetch_unpacks_and_is_done_the_second_time(registry: str, tmp_path: Path) -> None:
    digest = publish(tar(("app/x.py", tarfile.REGTYPE, b"x = 1\n")))
    done = fetch(registry, digest, tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b" / "code" / "app" / "x.py").read_text() == "x = 1\n"
    Lying.blobs = {}
    assert "there already" in fetch(registry, digest, tmp_path / "b").stdout


@pytest.mark.parametrize("what", ["archive", "manifest", "shorter"])
def test_changed_bytes_are_refused_with_nothing_unpacked(registry: str, tmp_path: Path, what: str) -> None:
    digest = publish(tar(("app/x.py", tarfile.REGTYPE, b"x = 1\n")))
    for name, body in list(Lying.blobs.items()):
        if (name == digest) == (what == "manifest"):
            Lying.blobs[name] = body[:-1] + (b"" if what == "shorter" else b"\n" if body[-1:] != b"\n" else b" ")
    done = fetch(registry, digest, tmp_path / "b")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    words = (tmp_path / "words").read_text()
    assert ("fewer bytes" if what == "shorter" else "was shipped: it was changed or damaged") in words
    assert not (tmp_path / "b" / "code").exists() and not (tmp_path / "b" / ".new").exists()


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("../out", tarfile.REGTYPE, "leads outside"),
        ("/tmp/out", tarfile.REGTYPE, "leads outside"),
        ("a/../../out", tarfile.REGTYPE, "leads outside"),
        ("link", tarfile.SYMTYPE, "neither a file nor a folder"),
        ("hard", tarfile.LNKTYPE, "neither a file nor a folder"),
        ("device", tarfile.CHRTYPE, "neither a file nor a folder"),
        ("pipe", tarfile.FIFOTYPE, "neither a file nor a folder"),
    ],
)
def test_hostile_members_are_refused(registry: str, tmp_path: Path, name: str, kind: bytes, words: str) -> None:
    done = fetch(registry, publish(tar(("ok", tarfile.REGTYPE, b"1"), (name, kind, b""))), tmp_path / "b")
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert not (tmp_path / "out").exists() and not (tmp_path / "b" / "code").exists()


def test_a_bomb_is_refused(registry: str, tmp_path: Path) -> None:
    digest = publish(tar(("zeros", tarfile.REGTYPE, b"\0" * 3_000_000)))
    done = fetch(registry, digest, tmp_path / "b", SDS_BUNDLE_BYTES="1000000")
    assert done.returncode == 1 and "larger than allowed" in done.stderr


def test_an_encrypted_bundle_needs_its_key(registry: str, tmp_path: Path) -> None:
    mine, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    sealed = pyrage.encrypt(tar(("x", tarfile.REGTYPE, b"secret code")), [mine.to_public()])
    digest = publish(sealed, "application/vnd.sds.bundle.v1.tar+bzip2+age")
    key = tmp_path / "identity"
    assert "no key at" in fetch(registry, digest, tmp_path / "b", SDS_BUNDLE_KEY=str(key)).stderr
    key.write_text(str(other))
    assert "cannot be opened with the key" in fetch(registry, digest, tmp_path / "b", SDS_BUNDLE_KEY=str(key)).stderr
    key.write_text(f"{mine}\n")
    done = fetch(registry, digest, tmp_path / "b", SDS_BUNDLE_KEY=str(key))
    assert done.returncode == 0 and (tmp_path / "b" / "code" / "x").read_text() == "secret code"
