"""Credentials plug-ins of a kubeconfig, real scripts that answer, fail, hang, ask or babble; tokens that expire."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_apiserver import FakeApiServer, Handler
from fake_pod import PODS, add_pod

from sdsk8s.backends.kubernetes import plugin
from sdsk8s.backends.kubernetes.exec import exec_
from sdsk8s.backends.kubernetes.kubeconfig import connect
from sdsk8s.errors import ClusterError

API = "client.authentication.k8s.io/v1"


@pytest.fixture
def api() -> Iterator[FakeApiServer]:
    server = FakeApiServer()
    server.objects[PODS] = {}
    yield server
    server.close()


def answer(token: str, seconds: float | None = None) -> str:
    """A line of shell that prints an ExecCredential."""
    status = {"token": token}
    if seconds is not None:
        status["expirationTimestamp"] = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"echo '{json.dumps({'apiVersion': API, 'kind': 'ExecCredential', 'status': status})}'"


class Box:
    """A kubeconfig whose user is a script."""

    def __init__(self, folder: Path, api: FakeApiServer) -> None:
        self.script, self.folder, self.api = folder / "login.sh", folder, api

    def write(self, *lines: str, user: dict[str, Any] | None = None, **entry: Any) -> str:
        self.script.write_text("\n".join(["#!/bin/sh", f"echo run >> {self.folder}/runs", *lines, ""]))
        self.script.chmod(0o755)
        path = self.folder / "kubeconfig"
        content = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": self.api.url}}],
            "users": [{"name": "me", "user": user or {"exec": {"apiVersion": API, "command": "./login.sh", **entry}}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "me"}}],
        }
        path.write_text(yaml.safe_dump(content))
        return str(path)

    @property
    def runs(self) -> int:
        return len((self.folder / "runs").read_text().splitlines())


@pytest.fixture
def box(tmp_path: Path, api: FakeApiServer) -> Box:
    return Box(tmp_path, api)


def accept(api: FakeApiServer, *tokens: str, uses: int = 10**9) -> list[str]:
    """Take only these tokens, the first of them for `uses` requests. Returns the list of tokens that came."""
    came: list[str] = []

    def fault(handler: Handler) -> bool:
        token = str(handler.headers.get("Authorization", "")).removeprefix("Bearer ")
        came.append(token)
        if token in tokens and not (token == tokens[0] and came.count(token) > uses):
            return False
        handler.status(401, "Unauthorized", "Unauthorized")
        return True

    api.faults.insert(0, fault)
    return came


def test_a_plugin_is_run_once_and_its_token_used(api: FakeApiServer, box: Box) -> None:
    came = accept(api, "t1")
    cluster = connect(kubeconfig=box.write(answer("t1", 3600)))
    for _ in range(3):
        assert cluster.list("Pod") == []
    assert box.runs == 1 and came == ["t1"] * 3


def test_it_gets_its_arguments_variables_and_the_cluster(api: FakeApiServer, box: Box) -> None:
    line = f'printf "%s %s\\n%s" "$1" "$WHO" "$KUBERNETES_EXEC_INFO" > {box.folder}/seen'
    config = box.write(
        line, answer("t"), args=["get-token"], env=[{"name": "WHO", "value": "ann"}], provideClusterInfo=True
    )
    connect(kubeconfig=config)
    first, _, info = (box.folder / "seen").read_text().partition("\n")
    assert first == "get-token ann"
    assert json.loads(info)["spec"] == {"interactive": False, "cluster": {"server": api.url}}


def test_a_token_that_has_expired_is_renewed_before_it_is_used(api: FakeApiServer, box: Box) -> None:
    came = accept(api, "t")
    cluster = connect(kubeconfig=box.write(answer("t", 3600)))
    cluster.list("Pod")
    box.write(answer("t", 5))
    cluster.list("Pod")
    assert box.runs == 1, "the first answer is good for an hour"
    soon = connect(kubeconfig=str(box.folder / "kubeconfig"))  # its token ends in 5 s: every request asks again
    soon.list("Pod")
    assert box.runs >= 3 and set(came) == {"t"}


def test_a_token_that_is_refused_in_the_middle_is_renewed_and_the_request_repeated(
    api: FakeApiServer, box: Box
) -> None:
    came = accept(api, "t1", "t2", uses=2)
    add_pod(api, "box-1", box.folder)
    cluster = connect(kubeconfig=box.write(answer("t1", 3600)))
    cluster.list("Pod")
    box.write(answer("t2", 3600))
    cluster.list("Pod")
    assert len(cluster.list("Pod")) == 1 and came == ["t1", "t1", "t1", "t2"]
    assert exec_(cluster, "box-1", "main", ["true"]).code == 0 and came[-1] == "t2" and box.runs == 2


def test_a_command_whose_token_is_refused_is_repeated_with_a_new_one(api: FakeApiServer, box: Box) -> None:
    came = accept(api, "t2")
    add_pod(api, "box-1", box.folder)
    cluster = connect(kubeconfig=box.write(answer("t1")))
    box.write(answer("t2"))
    assert exec_(cluster, "box-1", "main", ["echo", "hello"]).stdout == b"hello\n"
    assert came == ["t1", "t2"]


def test_a_token_file_is_read_again(api: FakeApiServer, box: Box) -> None:
    came = accept(api, "t1", "t2", uses=1)
    (box.folder / "token").write_text("t1")
    cluster = connect(kubeconfig=box.write(user={"tokenFile": str(box.folder / "token")}))
    cluster.list("Pod")
    (box.folder / "token").write_text("t2")
    assert cluster.list("Pod") == [] and came == ["t1", "t1", "t2"]


def test_a_plugin_that_fails_in_the_middle_is_named_with_its_words(api: FakeApiServer, box: Box) -> None:
    accept(api, "t1", uses=1)
    cluster = connect(kubeconfig=box.write(answer("t1")))
    cluster.list("Pod")
    box.write("echo 'session expired: run corp login' >&2", "exit 3")
    with pytest.raises(ClusterError, match="rejected the credentials") as err:
        cluster.list("Pod")
    assert "session expired: run corp login" in err.value.words and "./login.sh" in err.value.words


@pytest.mark.parametrize(
    ("lines", "what", "says"),
    [
        (["echo no ticket >&2", "exit 3"], "plug-in failed", "exit code 3\nno ticket"),
        (["echo hello; echo warned >&2"], "printed no credentials", "warned"),
        (['echo \'{"apiVersion": "v9", "status": {"token": "t0ken"}}\''], "printed no credentials", "v9"),
        ([f'echo \'{{"apiVersion": "{API}", "status": {{}}}}\''], "printed no credentials", "fields of status: none"),
        (["read answer || { echo cannot ask >&2; exit 1; }"], "plug-in failed", "cannot ask"),
        (["read answer < /dev/tty || { echo no terminal >&2; exit 1; }"], "plug-in failed", "no terminal"),
    ],
)
def test_what_a_plugin_can_do_wrong(box: Box, lines: list[str], what: str, says: str) -> None:
    with pytest.raises(ClusterError, match=what) as err:
        connect(kubeconfig=box.write(*lines))
    assert says in err.value.words and "./login.sh" in err.value.target and err.value.next
    assert "t0ken" not in str(err.value)


def test_a_plugin_that_is_not_there_says_how_to_get_it(box: Box) -> None:
    with pytest.raises(ClusterError, match="plug-in cannot be run") as err:
        connect(kubeconfig=box.write(command="./no-such-login", installHint="pipx install corp-login"))
    assert err.value.next == "pipx install corp-login"


def test_a_plugin_that_hangs_is_ended_with_all_that_it_has_started(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SDS_PLUGIN_TIMEOUT", "1.5")
    monkeypatch.setattr(plugin, "QUIET_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(ClusterError, match=r"did not answer within 1\.5 s") as err:
        connect(kubeconfig=box.write("echo open the browser >&2", f"sleep 300 & echo $! > {box.folder}/pid", "wait"))
    assert time.monotonic() - start < 20 and "open the browser" in err.value.words
    assert "waiting for the credentials plug-in ./login.sh (at most 1.5 s)" in capsys.readouterr().err
    child = int((box.folder / "pid").read_text())
    end = time.monotonic() + 10
    while alive(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(child)


def alive(pid: int) -> bool:
    """Whether a process runs: a killed one that nobody has asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_quick_plugin_says_nothing(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    connect(kubeconfig=box.write("echo a warning >&2", answer("t")))
    assert capsys.readouterr().err == ""


def test_a_time_limit_that_is_no_number(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDS_PLUGIN_TIMEOUT", "soon")
    with pytest.raises(ClusterError, match='SDS_PLUGIN_TIMEOUT: expected seconds above 0, got "soon"'):
        connect(kubeconfig=box.write(answer("t")))


def test_a_plugin_that_needs_a_terminal_is_not_begun_without_one(box: Box) -> None:
    with pytest.raises(ClusterError, match="needs a terminal"):
        connect(kubeconfig=box.write(answer("t"), interactiveMode="Always"))
    assert not (box.folder / "runs").exists()


def test_on_a_terminal_a_plugin_may_ask(box: Box) -> None:
    config = box.write()
    line = answer("CODE").replace("'", "").replace("echo ", "")
    box.script.write_text(f"#!/bin/sh\nprintf 'code? ' >&2\nread code\nprintf '%s' '{line}' | sed \"s/CODE/$code/\"\n")
    main, side = pty.openpty()
    code = (
        "from sdsk8s.backends.kubernetes.kubeconfig import connect\n"
        f"print('HEADERS', connect(kubeconfig={config!r}).connection.auth_headers())"
    )
    asked = subprocess.Popen([sys.executable, "-c", code], stdin=side, stdout=side, stderr=side, start_new_session=True)
    os.close(side)
    seen = b""
    while b"code? " not in seen:
        seen += os.read(main, 1000)
    os.write(main, b"4711\n")
    while b"HEADERS" not in seen or not seen.endswith(b"}\r\n"):
        seen += os.read(main, 1000)
    assert asked.wait(30) == 0 and b"Bearer 4711" in seen
    os.close(main)
