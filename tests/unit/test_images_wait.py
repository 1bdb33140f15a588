"""sds-wait against little real servers."""

from __future__ import annotations

import contextlib
import http.server
import json
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "dockerfiles/base/sds-wait"
START = b"\x01\x00\x00\x00\x00\x00\x10\x00\x0a\x00\x0a\x00\x09" + b"\x00" * 11


def run(*argv: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, str(SCRIPT), *argv], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def answering(expect: bytes, answer: bytes) -> Iterator[int]:
    """A TCP server that reads `expect` and sends `answer`; to anything else it says nothing."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(len(expect)) == expect:
                self.request.sendall(answer)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with serving(Server(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextlib.contextmanager
def web(paths: dict[str, tuple[int, object]]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = paths.get(self.path, (404, {}))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Auth", self.headers.get("Authorization", ""))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


def test_amqp_wants_the_protocols_own_greeting() -> None:
    with answering(b"AMQP\x00\x00\x09\x01", START) as port:
        code, out, _ = run("--once", f"amqp://127.0.0.1:{port}")
        assert code == 0 and "ready" in out
    with answering(b"AMQP\x00\x00\x09\x01", b"AMQP\x00\x01\x00\x00" + b"\x00" * 8) as port:
        code, _, err = run("--once", f"amqp://127.0.0.1:{port}")
        assert code == 1 and "not an AMQP 0-9-1 greeting" in err


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"+PONG\r\n", 0), (b"-NOAUTH Authentication required.\r\n", 0), (b"-LOADING Redis is loading\r\n", 1), (b"", 1)],
)
def test_redis_is_alive_when_it_answers_ping_or_wants_a_password(answer: bytes, code: int) -> None:
    with answering(b"*1\r\n$4\r\nPING\r\n", answer) as port:
        assert run("--once", f"redis://127.0.0.1:{port}")[0] == code


def test_http_takes_2xx_and_3xx_only() -> None:
    with web({"/ok": (204, {}), "/moved": (302, {}), "/bad?x=1": (503, {})}) as port:
        base = f"http://127.0.0.1:{port}"
        assert run("--once", f"{base}/ok", f"{base}/moved")[0] == 0
        code, _, err = run("--once", f"{base}/bad?x=1")
        assert code == 1 and "HTTP 503" in err


@pytest.mark.parametrize(
    ("status", "query", "code", "words"),
    [
        ("yellow", "", 0, ""),
        ("red", "", 1, "cluster status is red, yellow is wanted"),
        ("yellow", "?status=green", 1, "cluster status is yellow, green is wanted"),
        ("green", "?status=green&template=job_status", 0, ""),
        ("green", "?template=composable", 0, ""),
        ("green", "?template=missing", 1, "no template missing"),
        ("green", "?index=rules", 0, ""),
        ("green", "?index=other", 1, "no index other"),
    ],
)
def test_search_engine_health_templates_and_indices(status: str, query: str, code: int, words: str) -> None:
    paths: dict[str, tuple[int, object]] = {
        "/_cluster/health": (200, {"status": status}),
        "/_template/job_status": (200, {}),
        "/_index_template/composable": (200, {}),
        "/rules": (200, {}),
    }
    with web(paths) as port:
        got, _, err = run("--once", f"es://127.0.0.1:{port}{query}")
        assert got == code
        assert words in err


def test_timeout_names_who_did_not_answer_and_no_password() -> None:
    with web({}) as port:
        code, out, err = run(
            "--timeout", "0.6", "--interval", "0.1", f"http://user:topsecret@127.0.0.1:{port}/x", "tcp://127.0.0.1:1"
        )
    assert code == 1
    assert f"http://127.0.0.1:{port}/x did not answer after 0.6 s: HTTP 404" in err
    assert "tcp://127.0.0.1:1 did not answer" in err
    assert "topsecret" not in out + err
    # one line per change of state, not per attempt
    assert len(out.splitlines()) == 2


def test_waits_until_the_service_comes_up() -> None:
    with web({}) as port:
        pass  # a port that was free a moment ago
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--timeout", "20", "--interval", "0.1", f"http://127.0.0.1:{port}/"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    first = process.stdout.readline()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)):
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    (last,) = out.splitlines()
    assert "connection refused" in first and "ready" in last


@pytest.mark.parametrize("url", ["ftp://h:1", "tcp://h", "es://h?status=blue", "nonsense"])
def test_bad_urls_are_a_usage_error(url: str) -> None:
    code, _, err = run("--once", url)
    assert code == 2 and "wanted" in err
