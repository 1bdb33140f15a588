"""The registry client against a small server that speaks the distribution API."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdsk8s.backends.registry import Reference, Registry
from sdsk8s.errors import ImageError

DIGEST = "sha256:" + "a" * 64


@contextlib.contextmanager
def registry(login: str = "") -> Iterator[str]:
    """One with the image demo/web:1 in it; with `login` it wants basic credentials."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def reply(self, status: int, body: object = None, **headers: str) -> None:
            data = b"" if self.command == "HEAD" else json.dumps(body or {}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            wanted = "Basic " + base64.b64encode(login.encode()).decode()
            if login and self.headers.get("Authorization") != wanted:
                return self.reply(401, WWW_Authenticate='Basic realm="r"')
            match self.path:
                case "/v2/":
                    self.reply(200)
                case "/v2/demo/web/manifests/1":
                    assert "manifest.v2" in self.headers["Accept"]
                    self.reply(200, {"config": {"digest": "sha256:c"}}, Docker_Content_Digest=DIGEST)
                case "/v2/demo/web/blobs/sha256:c":
                    self.reply(200, {"config": {"Labels": {"a": "b"}}})
                case "/v2/demo/web/tags/list":
                    self.reply(200, {"tags": ["2", "1"]}, Link='</v2/demo/web/tags/list?last=2>; rel="next"')
                case "/v2/demo/web/tags/list?last=2":
                    self.reply(200, {"tags": ["3"]})
                case "/v2/demo/broken/manifests/1":
                    self.reply(500, {"errors": [{"message": "disk full"}]})
                case _:
                    self.reply(404)

        do_HEAD = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_digest_tags_labels() -> None:
    with registry() as host:
        client = Registry()
        assert client.reachable(host) == (True, "")
        assert client.digest(f"{host}/demo/web:1") == DIGEST
        assert client.digest(f"{host}/demo/web:2") is None
        assert client.tags(f"{host}/demo/web") == ["1", "2", "3"]
        assert client.tags(f"{host}/demo/none") == []
        assert client.labels(f"{host}/demo/web:1") == {"a": "b"}
        with pytest.raises(ImageError, match="answers with 500"):
            client.digest(f"{host}/demo/broken:1")


def test_a_registry_that_is_away_is_an_error_and_not_an_absent_image() -> None:
    client = Registry(timeout=0.5)
    ok, words = client.reachable("127.0.0.1:1")
    assert not ok and "refused" in words.lower()
    with pytest.raises(ImageError, match="does not answer"):
        client.digest("127.0.0.1:1/demo/web:1")


def test_credentials_of_docker_login_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with registry(login="me:pw") as host:
        assert Registry().reachable(host) == (False, f"it requires credentials: docker login {host}")
        auth = base64.b64encode(b"me:pw").decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
        assert Registry().digest(f"{host}/demo/web:1") == DIGEST


@pytest.mark.parametrize(
    ("text", "host", "repository", "target"),
    [
        ("reg:5000/a/b:1", "reg:5000", "a/b", "1"),
        ("reg.x/a/b", "reg.x", "a/b", "latest"),
        (f"localhost/b:1@{DIGEST}", "localhost", "b", DIGEST),
        ("debian:12-slim", "registry-1.docker.io", "library/debian", "12-slim"),
        ("user/app", "registry-1.docker.io", "user/app", "latest"),
    ],
)
def test_reference(text: str, host: str, repository: str, target: str) -> None:
    assert Reference.parse(text) == Reference(host, repository, target)
    with pytest.raises(ImageError):
        Reference.parse("reg:5000/a:b:c")
