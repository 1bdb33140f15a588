"""Programs of worker images and the supervisord configurations that run them."""

from __future__ import annotations

import configparser
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BIN = ROOT / "dockerfiles" / "worker" / "bin"
CONFS = sorted((ROOT / "manifests").glob("*/supervisord.*.conf"))


def load(name: str) -> ModuleType:
    loader = SourceFileLoader(name.replace("-", "_"), str(BIN / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def node(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-IS", BIN / "sds-node", *argv], capture_output=True, text=True, check=False)


def test_a_process_gets_a_name_that_no_other_had() -> None:
    names = {node("echo", "-n", "queue.00.pod.{life}").stdout for _ in range(5)}
    assert len(names) == 5 and all(len(n) == len("queue.00.pod.") + 10 for n in names)
    assert node("no-such-program").stderr == "sds-node: no-such-program: No such file or directory\n"


def test_the_program_takes_the_process_over() -> None:
    with subprocess.Popen(
        [sys.executable, "-IS", BIN / "sds-node", "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None and int(started.stdout.read()) == started.pid


@pytest.mark.parametrize("conf", CONFS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_celery_worker_has_a_name_of_one_life(conf: Path) -> None:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(conf)
    programs = [parser[s] for s in parser.sections() if s.startswith("program:")]
    assert programs and "eventlistener:log" in parser.sections()
    for program in programs:
        words = program["command"].split()
        assert program["stdout_events_enabled"] == "true" and program["stdout_logfile"].startswith("/tmp/")
        if "celery" in words:
            assert words[:2] == ["sds-node", "celery"]
            name = words[words.index("-n") + 1]
            assert name.endswith(".{life}") and "@" not in name


def test_lines_come_whole_and_with_their_programs_name() -> None:
    lines = load("sds-log-listener").Lines()
    assert lines.feed("a-00", "one\ntw", 0.0) == ["[a-00] one"]
    assert lines.feed("b-00", "x\n", 0.5) == ["[b-00] x"]
    assert lines.feed("a-00", "o\n\n", 1.0) == ["[a-00] two", "[a-00] "]
    assert lines.feed("a-00", "no end", 2.0) == []
    assert lines.feed("b-00", "y\n", 9.0) == ["[b-00] y", "[a-00] no end"], "held back no longer"
    long = lines.feed("a-00", "z" * 20000, 10.0)
    assert [len(line) for line in long] == [16384 + len("[a-00] ")]


def test_a_fatal_program_leaves_its_last_lines_and_every_line_has_its_program(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    conf = tmp_path / "supervisord.conf"
    conf.write_text(f"""
[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={run}/pid
[unix_http_server]
file={run}/s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{run}/s
[eventlistener:exit-when-fatal]
command={sys.executable} -B {BIN}/sds-fatal-listener
events=PROCESS_STATE_FATAL
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0
[eventlistener:log]
command={sys.executable} -B {BIN}/sds-log-listener
events=PROCESS_LOG
buffer_size=1000
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0
[program:broken]
command=sh -c "echo no broker here; sleep 2; exit 3"
process_name=%(program_name)s-%(process_num)02d
numprocs=%(ENV_SDS_PROCESSES)s
stopwaitsecs=%(ENV_SDS_STOP_SECONDS)s
startsecs=5
startretries=0
redirect_stderr=true
stdout_events_enabled=true
stdout_logfile={tmp_path}/%(program_name)s-%(process_num)02d.log
""")
    env = {"PATH": "/usr/bin:/bin", "SDS_RUN": str(run), "SDS_TERMINATION_LOG": str(tmp_path / "ended")}
    env |= {"SDS_PROCESSES": "2", "SDS_STOP_SECONDS": "5"}
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", conf],
        env=env, capture_output=True, text=True, timeout=40, check=False, cwd=tmp_path,
    )  # fmt: skip
    said = (tmp_path / "ended").read_text()
    assert "program broken:broken-0" in said and "no broker here" in said, done.stdout
    assert "[broken-00] no broker here" in done.stderr and "[broken-01] no broker here" in done.stderr


def test_a_program_that_ends_after_each_start_is_not_running(tmp_path: Path) -> None:
    """supervisorctl calls STARTING and BACKOFF no fault; a rollout would take the pod for ready."""
    conf = tmp_path / "supervisord.conf"
    conf.write_text(f"""
[supervisord]
nodaemon=true
logfile={tmp_path}/log
pidfile={tmp_path}/pid
[unix_http_server]
file={tmp_path}/s
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{tmp_path}/s
[program:good]
command=sleep 60
[program:bad]
command=sh -c "test ! -e {tmp_path}/broken || exit 1; exec sleep 60"
startretries=50
""")
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "SDS_SUPERVISORD_CONF": str(conf)}

    def probe() -> subprocess.CompletedProcess[str]:
        return subprocess.run([BIN / "sds-running"], env=env, capture_output=True, text=True, check=False)

    def ends_with(status: int) -> subprocess.CompletedProcess[str]:
        deadline = time.monotonic() + 30
        while (done := probe()).returncode != status and time.monotonic() < deadline:
            time.sleep(0.3)
        return done

    assert probe().returncode == 1  # no supervisord yet
    with subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-n", "-c", conf], cwd=tmp_path) as daemon:
        try:
            assert ends_with(0).returncode == 0
            (tmp_path / "broken").touch()
            subprocess.run(
                ["supervisorctl", "-c", conf, "restart", "bad"], env=env, check=False, stdout=subprocess.DEVNULL
            )
            seen = [probe() for _ in range(4)]
            assert all(done.returncode == 1 and done.stdout.startswith("bad ") for done in seen), seen
        finally:
            daemon.terminate()
