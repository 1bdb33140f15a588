"""`assess`: every part of an old site gets a verdict with its file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import as_published

from sdsk8s.cli.main import main
from sdsk8s.migrate.crontab import read_crontab
from sdsk8s.migrate.supervisor import read_supervisor

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo-site" / "sds"


def test_the_demo_site_strict_and_not(capsys: pytest.CaptureFixture[str]) -> None:
    codes = []
    for more in ([], ["--strict"]):
        with pytest.raises(SystemExit) as end:
            main(["assess", "--from", str(DEMO), "-o", "json", *more])
        codes.append(end.value.code)
        found = as_published("findings", json.loads(capsys.readouterr().out))["findings"]
    assert codes == [0, 1]
    config = (DEMO / "config").read_text().splitlines()
    keys = [f for f in found if f["file"].endswith("/config")]
    assert all(config[f["line"] - 1].startswith(f["subject"] + ":") for f in keys) and len(keys) > 60
    row = next(f for f in found if f["subject"] == "mozart: program orchestrator_jobs")
    text = (DEMO / "files/supervisord.conf.mozart").read_text().splitlines()
    assert row["kind"] == "changed" and text[row["line"] - 1] == "[program:orchestrator_jobs]"


def test_supervisord_with_include_and_keys_without_counterpart(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text(
        '[supervisord]\nenvironment=A="1"\n[program:x]\ncommand=run %(process_num)02d %%h ; comment\nnumprocs=3\n'
        'stopsignal=SIGINT\nstopwaitsecs=20\nserverurl=AUTO\nenvironment=B="x,y",A=2\n[include]\nfiles=d/*.ini no/*\n'
    )
    (tmp_path / "d").mkdir()
    (tmp_path / "d/b.ini").write_text("[eventlistener:e]\ncommand=e\n[program:y]\ncommand=y\nautostart=false\n")
    read = read_supervisor(tmp_path / "a.conf", "mozart", {})
    x, y = read.programs
    assert (x.command, x.count, x.signal, x.grace) == ("run 00 %h", 3, "INT", 20)
    assert dict(x.environment) == {"A": "2", "B": "x,y"} and x.line == 3
    assert (y.enabled, y.line) == (False, 3)
    none = {(f.subject, f.line) for f in read.findings if f.level == "none"}
    assert none == {
        ("program x serverurl", 8),
        ("include no/*", 11),
        ("eventlistener:e", 1),
        ("eventlistener:e command", 2),
    }


def test_crontab(tmp_path: Path) -> None:
    file = tmp_path / "cron"
    file.write_text(
        "MAILTO=a\nCRON_TZ=UTC\nA=1\n*/5 * * * 5-7 /opt/clean.sh --x\n@daily date +\\%F\n@reboot x\nrubbish\n"
    )
    timers, found = read_crontab(file, "mozart")
    assert [(t.schedule, t.command, t.name, t.zone, t.line) for t in timers] == [
        ("*/5 * * * 5,6,0", "/opt/clean.sh --x", "clean", "UTC", 4),
        ("0 0 * * *", "date +%F", "date", "UTC", 5),
    ]
    assert [f.line for f in found if f.level == "none"] == [1, 6, 7]
