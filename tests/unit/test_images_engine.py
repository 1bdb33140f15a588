"""The engine client against a small server that speaks the Docker Engine API."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sdsk8s.backends.docker.engine import BuildRequest, Engine, dockerfile_line
from sdsk8s.errors import ImageError

DOCKERFILE = """\
# comment
ARG BASE=x

FROM ${BASE} AS one
RUN true \\
    && false
RUN true && false
"""


@contextlib.contextmanager
def engine(events: list[dict[str, Any]]) -> Iterator[tuple[Engine, list[str]]]:
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            seen.append(self.path)
            if self.path.endswith("/version"):
                self.answer(200, b'{"Version": "20.10.24", "ApiVersion": "1.41"}')
            elif re.search(r"/images/known:1/json$", self.path):
                self.answer(200, b'{"Id": "sha256:1", "Size": 12345}')
            else:
                self.answer(404, b'{"message": "No such image"}')

        def do_POST(self) -> None:
            seen.append(self.path)
            if self.headers.get("Content-Length"):
                self.rfile.read(int(self.headers["Content-Length"]))
            elif self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()
            self.send_response(200)  # chunk by chunk, as the engine does
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in [*(json.dumps(e).encode() + b"\r\n" for e in events), b""]:
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield Engine(f"tcp://127.0.0.1:{server.server_address[1]}"), seen
    finally:
        server.shutdown()
        server.server_close()


def request(tmp_path: Path, ref: str = "known:1") -> BuildRequest:
    return BuildRequest(
        "web", ref, io.BytesIO(b"tar"), DOCKERFILE, tmp_path / "logs/web.log", target="one", args={"A": "1"},
    )  # fmt: skip


def test_build_streams_lines_and_measures(tmp_path: Path) -> None:
    events = [{"stream": "Step 1/2 : ARG BASE=x\n"}, {"stream": "half "}, {"stream": "line\nmore\n"}, {"aux": {}}]
    lines: list[str] = []
    with engine(events) as (client, seen):
        assert client.ping()["Version"] == "20.10.24"
        built = client.build(request(tmp_path), lines.append)
    assert (built.id, built.size_bytes, built.ref) == ("sha256:1", 12345, "known:1")
    assert lines == ["Step 1/2 : ARG BASE=x", "half line", "more"]
    assert (tmp_path / "logs/web.log").read_text().splitlines() == lines
    query = parse_qs(urlsplit(next(p for p in seen if "/build?" in p)).query)
    assert query["networkmode"] == ["host"] and query["target"] == ["one"] and query["t"] == ["known:1"]
    assert json.loads(query["buildargs"][0]) == {"A": "1"}
    assert query["rm"] == ["True"] and query["forcerm"] == ["True"]


def test_a_failed_build_names_step_line_last_lines_and_the_log(tmp_path: Path) -> None:
    events = [
        {"stream": "Step 2/4 : FROM ${BASE} AS one\n"},
        {"stream": "old noise\n"},
        {"stream": "Step 3/4 : RUN true     && false\n"},
        {"stream": " ---> Running in 0123\n"},
        *({"stream": f"line {n}\n"} for n in range(30)),
        {"stream": "\x1b[91mred words\x1b[0m\n"},
        {"errorDetail": {"code": 1}, "error": "The command '/bin/sh -c true && false' returned a non-zero code: 1"},
    ]
    with engine(events) as (client, _), pytest.raises(ImageError) as err:
        client.build(request(tmp_path), lambda line: None)
    assert err.value.target == "step 3, Dockerfile line 5: RUN true     && false"
    words = err.value.words.splitlines()
    assert words[0] == "line 16" and words[-2:] == ["red words", "the command returned a non-zero code: 1"]
    assert len(words) == 16 and str(tmp_path / "logs/web.log") in err.value.next


def test_push_gives_the_digest_or_the_registrys_words(tmp_path: Path) -> None:
    pushed = [{"status": "Pushing", "progressDetail": {"current": 1}}, {"aux": {"Digest": "sha256:9", "Tag": "1"}}]
    with engine(pushed) as (client, seen):
        assert client.push("reg:5000/demo/web:1", lambda line: None) == "sha256:9"
        assert any("/images/reg:5000/demo/web/push?tag=1" in path for path in seen)
    refused = [{"error": "Get https://reg/v2/: http: server gave HTTP response to HTTPS client"}]
    with engine(refused) as (client, _), pytest.raises(ImageError) as err:
        client.push("reg:5000/demo/web:1", lambda line: None)
    assert "insecure-registries" in err.value.next


def test_has_and_size() -> None:
    with engine([]) as (client, _):
        assert client.has("known:1") and not client.has("other:1")
        assert client.size("known:1") == 12345
        with pytest.raises(ImageError, match="no such image"):
            client.size("other:1")


def test_no_engine_names_the_endpoint_and_the_setting() -> None:
    with pytest.raises(ImageError) as err:
        Engine("unix:///nonexistent/docker.sock").ping()
    assert err.value.target == "unix:///nonexistent/docker.sock"
    assert "DOCKER_HOST" in err.value.next


@pytest.mark.parametrize(
    ("number", "step", "line"),
    [
        (1, "ARG BASE=x", 2),
        (3, "RUN true     && false", 5),
        (4, "RUN true && false", 7),
        (9, "FROM ${BASE} AS one", 4),
        (9, "RUN other", 0),
    ],
)
def test_dockerfile_line(number: int, step: str, line: int) -> None:
    assert dockerfile_line(DOCKERFILE, number, step) == line
