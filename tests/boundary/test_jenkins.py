"""`sds ci` against a server that answers Jenkins' REST API as its documentation says: crumbs, login, queue, console."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

BIN = Path(sys.executable).parent
REPO = "https://git.example/owner/thing.git"
CONFIG = "<project><url>{{ PROJECT_URL }}</url><spec>{{ BRANCH_SPEC }}</spec><to>{{ STORAGE_URL }}</to></project>"
LOGIN = "Basic " + base64.b64encode(b"robot:key-1").decode()


class FakeJenkins:
    """jobs: {name: config.xml}. result: of the next build. console: its text, given in two pieces."""

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.result = "SUCCESS"
        self.console = "Started by user robot\nstep one\nFinished\n"
        self.polls = 0
        self.port = 0

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        if headers.get("Authorization") != LOGIN:
            return 401, {}, {"message": "Invalid password/token"}
        url = urlsplit(path)
        if url.path == "/crumbIssuer/api/json":
            return 200, {}, {"crumb": "c-1", "crumbRequestField": "Jenkins-Crumb"}
        if method == "POST" and headers.get("Jenkins-Crumb") != "c-1":
            return 403, {}, {"message": "No valid crumb was included in the request"}
        if url.path == "/createItem":
            name = parse_qs(url.query)["name"][0]
            if name in self.jobs or "xml" not in headers.get("Content-Type", ""):
                return 400, {}, {"message": f"A job already exists with the name {name}"}
            self.jobs[name] = body.decode()
            return 200, {}, None
        if url.path.startswith("/queue/item/7"):
            self.polls += 1
            return 200, {}, {"why": "waiting"} if self.polls < 2 else {"executable": {"number": 3}}
        found = re.fullmatch(r"/job/([^/]+)/(.*)", url.path)
        if not found or found[1] not in self.jobs:
            return 404, {}, "<html>Not Found</html>"
        return self.job(found[1], found[2], parse_qs(url.query), body)

    def job(self, name: str, rest: str, query: Any, body: bytes) -> tuple[int, dict[str, str], Any]:
        if rest == "api/json":
            return 200, {}, {"name": name}
        if rest == "config.xml":
            self.jobs[name] = body.decode()
            return 200, {}, None
        if rest == "doDelete":
            del self.jobs[name]
            return 302, {"Location": "/"}, None
        if rest == "build":
            return 201, {"Location": f"http://127.0.0.1:{self.port}/queue/item/7/"}, None
        if rest == "3/logText/progressiveText":
            start = int(query["start"][0])
            half = self.console[: len(self.console) // 2] if start == 0 else self.console
            more = {"X-More-Data": "true"} if start == 0 else {}
            return 200, {"X-Text-Size": str(len(half)), **more}, half[start:].encode()
        return 200, {}, {"building": False, "result": self.result}


@pytest.fixture
def server() -> Iterator[FakeJenkins]:
    fake = FakeJenkins()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, headers, answer = fake.answer(self.command, self.path, self.headers, body)
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode() if answer else b""
            self.send_response(code)
            for key, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = handle_one

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = http.server_address[1]
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield fake
    http.shutdown()
    http.server_close()


@pytest.fixture
def home(tmp_path: Path, server: FakeJenkins) -> Path:
    (tmp_path / "config").write_text(
        f"VENUE: ops\nJENKINS_URL: http://127.0.0.1:{server.port}\nJENKINS_API_USER: robot\nJENKINS_API_KEY: key-1\n"
        "S3_ENDPOINT: s3.example\nCODE_BUCKET: code\nGIT_OAUTH_TOKEN: tok-secret\n"
        "DAV_USER: me\nDAV_PASSWORD: a@b\nDAV_SERVER: dav.example\n"
    )
    (tmp_path / "files").mkdir()
    for name in ("config.xml", "config-branch.xml"):
        (tmp_path / "files" / name).write_text(CONFIG)
    return tmp_path


def ci(home: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SDS_HOME": str(home), "KUBECONFIG": str(home / "none")}
    return subprocess.run(
        [str(BIN / "sds"), "ci", *argv], env=env, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_job_is_created_updated_and_removed(home: Path, server: FakeJenkins) -> None:
    assert "created" in ci(home, "add_job", REPO, "s3").stdout
    name = "ops_container-builder_owner_thing"
    assert "origin/tags/release-*" in server.jobs[name] and "<to>s3://s3.example/code/</to>" in server.jobs[name]
    assert "updated" in ci(home, "add_job", REPO, "s3s").stdout
    assert "s3s://" in server.jobs[name]
    assert ci(home, "remove_job", REPO).returncode == 0 and not server.jobs
    done = ci(home, "remove_job", REPO)
    assert done.returncode == 1 and "404" in done.stderr


def test_branch_token_and_dav(home: Path, server: FakeJenkins) -> None:
    done = ci(home, "add_job", "-k", "-b", "dev/x", REPO, "davs")
    assert done.returncode == 0 and "tok-secret" not in done.stdout + done.stderr
    config = server.jobs["ops_container-builder_owner_thing_dev-x"]
    assert "https://tok-secret@git.example/" in config and "davs://me:a%40b@dav.example/" in config
    assert "<spec>**</spec>" in config


def test_a_build_streams_its_console_and_its_result_is_the_exit_code(home: Path, server: FakeJenkins) -> None:
    ci(home, "add_job", REPO, "s3")
    done = ci(home, "build_job", REPO)
    assert done.returncode == 0 and server.console in done.stdout and "SUCCESS" in done.stdout
    server.result = "FAILURE"
    done = ci(home, "build_job", REPO)
    assert done.returncode == 1 and "FAILURE" in done.stderr


def test_wrong_key_and_missing_settings_are_explained(home: Path, server: FakeJenkins) -> None:
    text = (home / "config").read_text()
    (home / "config").write_text(text.replace("key-1", "key-2"))
    done = ci(home, "add_job", REPO, "s3")
    assert done.returncode == 1 and "401" in done.stderr and "key-2" not in done.stderr
    (home / "config").write_text(text.replace("JENKINS_API_KEY: key-1", "JENKINS_API_KEY:"))
    assert "JENKINS_API_KEY" in ci(home, "build_job", REPO).stderr
    (home / "config").write_text(text.replace("CODE_BUCKET: code", "CODE_BUCKET:"))
    assert "storage s3 needs CODE_BUCKET" in ci(home, "add_job", REPO, "s3").stderr


@pytest.mark.parametrize(
    "repo", ["git@git.example:owner/thing.git", "https://git.example/group/owner/thing", REPO + "/"]
)
def test_other_forms_of_an_address(home: Path, server: FakeJenkins, repo: str) -> None:
    assert ci(home, "add_job", repo, "s3").returncode == 0
    assert list(server.jobs) == ["ops_container-builder_owner_thing"]


def test_an_address_without_owner_is_refused(home: Path, server: FakeJenkins) -> None:
    done = ci(home, "add_job", "https://user:pw@git.example/thing", "s3")
    assert done.returncode in (1, 2) and "no owner and repository" in done.stderr and "pw" not in done.stderr
