"""`migrate import`: an old site becomes a folder that renders, and everything in it is in the report once."""

from __future__ import annotations

import configparser
import contextlib
import html.parser
import io
import json
import shutil
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import as_published

from sdsk8s.cli.main import main
from sdsk8s.migrate.config_text import extended
from sdsk8s.migrate.drawing import draw
from sdsk8s.migrate.page import page
from sdsk8s.migrate.systemd import calendar
from sdsk8s.model.finding import Finding
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import load_site
from sdsk8s.site.overrides import load_overrides

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo-site"
PARTS = ROOT / "tests" / "cases" / "old-site"


def old_site(home: Path) -> Path:
    """The demo site with a site's own tasks and a file that nothing reads."""
    shutil.copytree(DEMO / "sds", home)
    shutil.copy(PARTS / "cluster.py", home)
    (home / "files" / "site-banner.txt").write_text("hello\n")
    return home


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return old_site(tmp_path / "old")


def run(old: Path, out: Path, *more: str) -> int:
    given = [
        "--supervisord",
        f"mozart={PARTS}/supervisord.conf",
        "--supervisord",
        f"verdi={PARTS}/verdi.supervisord.conf",
    ]
    given += ["--crontab", f"mozart={PARTS}/crontab.ops", "--systemd", f"mozart={PARTS}/units"]
    with pytest.raises(SystemExit) as end:
        main(
            [
                "migrate",
                "import",
                "--from",
                str(old),
                "--source",
                str(DEMO / "ops"),
                "--registry",
                "127.0.0.1:9",
                "--out",
                str(out),
                *given,
                *more,
            ]
        )
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A new folder and the report of its import."""
    folder, text = tmp_path_factory.mktemp("import"), io.StringIO()
    with contextlib.redirect_stdout(text):
        assert run(old_site(folder / "old"), folder / "new", "-o", "json", "--report", f"{folder}/page.html") == 0
    return folder / "new", as_published("findings", json.loads(text.getvalue()))


def objects(folder: Path) -> dict[str, dict[str, Any]]:
    docs = yaml.safe_load_all((folder / "manifests/mozart/imported.yaml").read_text())
    return {d["metadata"]["name"]: d for d in docs}


def container(obj: dict[str, Any]) -> dict[str, Any]:
    spec = obj["spec"].get("jobTemplate", obj)["spec"]["template"]["spec"]
    found: dict[str, Any] = spec["containers"][0]
    return found


def test_everything_is_in_the_report_once(done: tuple[Path, dict[str, Any]], old: Path) -> None:
    found = done[1]["findings"]
    assert {f["kind"] for f in found} == {"taken", "changed", "none"}
    twice = [k for k, n in Counter((f["subject"], f["file"], f["line"]) for f in found).items() if n > 1]
    assert twice == []
    said = {(f["subject"], Path(f["file"]).name) for f in found}
    for key in yaml.safe_load((old / "config").read_text()):
        assert (key, "config") in said
    for path in (old / "files").iterdir():
        assert (path.name, path.name) in said
    for name in ("supervisord.conf", "conf.d/extra.ini", "verdi.supervisord.conf"):
        parser = configparser.RawConfigParser(strict=False)
        parser.read(PARTS / name)
        for section in parser.sections():
            owner = "verdi" if name.startswith("verdi") else "mozart"
            label = section.replace("program:", "program ")
            head = f"{owner}: {label}" if label != section else section
            assert (head, Path(name).name) in said
            assert {(f"{label} {key}", Path(name).name) for key in parser[section]} <= said
    for number, row in enumerate((PARTS / "crontab.ops").read_text().splitlines(), 1):
        lines = [f for f in found if f["file"].endswith("crontab.ops") and f["line"] == number]
        assert len(lines) == (0 if row.startswith("#") else 1), row
    for task in ("uptime", "restart_network", "look", "copy_rules"):
        assert (f"cluster.py {task}", "cluster.py") in said
    assert all(f["line"] > 0 for f in found if f["file"].endswith(("config", ".ini", "crontab.ops")))


def test_tasks_have_the_verdict_of_what_they_call(done: tuple[Path, dict[str, Any]]) -> None:
    tasks = {f["subject"]: f for f in done[1]["findings"] if f["subject"].startswith("cluster.py ")}
    kinds = {name.split()[1]: f["kind"] for name, f in tasks.items()}
    assert kinds == {"uptime": "taken", "restart_network": "changed", "look": "none", "copy_rules": "taken"}
    assert "kubectl exec" in tasks["cluster.py look"]["words"]


def test_the_folder_is_complete_and_private(done: tuple[Path, dict[str, Any]], old: Path) -> None:
    new, report = done
    assert report["broken"] == 0 and report["checked"]["objects"] > 30
    for path in new.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    for path in (old / "files").iterdir():
        assert (new / "files" / path.name).read_bytes() == path.read_bytes()
    before = (old / "config").read_text().splitlines()
    after = (new / "config").read_text().splitlines()
    assert [line for line in after if line in before] == before
    for verb in (["config", "check"], ["lint"], ["render", "--only", "deployment/mozart-feed-poller"]):
        with pytest.raises(SystemExit) as end:
            main([*verb, "--home", str(new)])
        assert not end.value.code, verb


def test_programs_become_workloads(done: tuple[Path, dict[str, Any]]) -> None:
    made = objects(done[0])
    poller = made["mozart-feed-poller"]
    spec = poller["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] == 60 and poller["spec"]["minReadySeconds"] == 5
    assert "kill -s INT 1" in container(poller)["lifecycle"]["preStop"]["exec"]["command"][2]
    assert container(poller)["workingDir"] == "/run/sds"
    shards = [made[f"mozart-feed-shard-{i}"] for i in range(3)]
    assert [container(s)["command"][1:] for s in shards] == [
        ["/opt/sds/venv/bin/python", "-m", "feed", "--shard", str(n), "--of", "3"] for n in (1, 2, 3)
    ]
    assert made["mozart-tidy"]["spec"]["replicas"] == 0 and made["mozart-site-celery"]["spec"]["replicas"] == 2
    overlay = yaml.safe_load((done[0] / "manifests/mozart/component.yaml").read_text())
    assert "rsync" in overlay["images"]["mozart"]["args"]["OS_PACKAGES"].split()
    # what a shipped workload runs is not there twice: it gets the variables that it lacks
    assert not any("gunicorn" in str(container(o).get("command")) for o in made.values())
    assert "metrics" not in {p.name for p in (done[0] / "manifests").iterdir()}
    assert {e["name"] for e in container(made["mozart-api"])["env"]} == {"SITE", "http_proxy"}


def test_secrets_are_in_no_manifest(done: tuple[Path, dict[str, Any]]) -> None:
    new = done[0]
    assert load_site(new).config["FEED_PASSWORD"] == "s3cr%t, with comma"
    assert all("s3cr%t" not in p.read_text() for p in (new / "manifests").rglob("*.yaml"))
    env = {e["name"]: e for e in container(objects(new)["mozart-feed-poller"])["env"]}
    assert env["FEED_PASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "mozart-imported", "key": "FEED_PASSWORD"}


def test_queues_and_timers(done: tuple[Path, dict[str, Any]]) -> None:
    queues = load_site(done[0]).config["QUEUES"]
    assert queues[-1] == {"QUEUE_NAME": "night-jobs", "INSTANCE_TYPES": [], "GRACE_SECONDS": 615, "PROCESSES": 4}
    made = objects(done[0])
    report, purge = made["mozart-report"], made["mozart-purge"]
    assert (report["kind"], report["spec"]["schedule"]) == ("CronJob", "30 6 * * MON-FRI")
    assert container(report)["command"][1:] == [
        "/opt/sds/venv/bin/python", "/opt/sds/ops/mozart/report.py", "$(LEVEL)", "--format=html",
    ]  # fmt: skip
    assert (purge["spec"]["timeZone"], purge["spec"]["concurrencyPolicy"]) == ("Europe/Berlin", "Forbid")
    assert container(purge)["command"][1:3] == ["/bin/sh", "-c"]


def test_nothing_is_written_over(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new"
    assert run(old, new, "--dry-run") == 0 and not new.exists()
    assert run(old, new, "--strict") == 1 and (new / "config").exists()
    (new / "mine").write_text("x")
    assert run(old, new) == 4 and (new / "mine").exists()
    assert run(old, new, "-f") == 0
    assert not (new / "mine").exists() and len(list(tmp_path.glob("new.*.bak/mine"))) == 1
    assert run(old, old / "below") == 4
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    capsys.readouterr()


def test_a_folder_that_cannot_be_rendered_says_so(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (old / "files" / "datasets.json").unlink()
    assert run(old, tmp_path / "new") == 3
    assert "datasets.json, which does not exist" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("daily", "0 0 * * *"),
        ("*-*-* 04:05:00", "5 4 * * *"),
        ("Mon,Thu 0/6:30", "30 0-23/6 * * MON,THU"),
        ("*:0/15", "0-59/15 * * * *"),
        ("*-*-01 03:00", "0 3 1 * *"),
        ("Mon *-*-01 03:00", ""),
        ("2027-01-01 00:00", ""),
        ("*-*-* 04:05:30", ""),
    ],
)
def test_calendar(text: str, cron: str) -> None:
    assert calendar(text) == cron


@pytest.mark.parametrize(
    "text",
    [
        "A: 1\nQUEUES:\n- QUEUE_NAME: a\n# end",
        "QUEUES: [{QUEUE_NAME: a}]\nA: 1\n",
        "{A: 1, QUEUES: [{QUEUE_NAME: a}]}\n",
        "A: 1\n",
    ],
)
def test_config_is_extended_in_every_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    value = "a\n\"b\" # $x %y 'z' ü 🙂 "
    new = yaml.safe_load(extended(path, {"K": value}, [{"QUEUE_NAME": "b"}]))
    have = (yaml.safe_load(text).get("QUEUES")) or []
    assert new == {"A": 1, "K": value, "QUEUES": [*have, {"QUEUE_NAME": "b"}]}


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the page's text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def test_the_page_loads_nothing_and_says_everything(done: tuple[Path, dict[str, Any]]) -> None:
    path = done[0].parent / "page.html"
    text = path.read_text()
    shown = Page(text)
    assert not {t for t, _ in shown.tags} & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not any(a in attrs for _, attrs in shown.tags for a in ("src", "href", "xlink:href", "style"))
    assert "@import" not in text and "url(" not in text and "s3cr%t" not in text
    rows = [a for t, a in shown.tags if t == "td" and a.get("class") == "subject"]
    assert len(rows) == len(done[1]["findings"])
    assert {"verdi-worker-night-jobs", "mozart-feed-shard-2", "night-jobs", "rabbitmq"} <= set(shown.words)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_drawing_joins_queues_components_and_stores(done: tuple[Path, dict[str, Any]]) -> None:
    site = load_site(done[0])
    drawing = draw(site, load_catalogue(site.manifests), {"mozart-site-celery": ["site-queue"]})
    titles = {e.title for e in drawing.edges}
    assert {"night-jobs - verdi", "site-queue - mozart", "mozart - rabbitmq", "grq - elasticsearch"} <= titles
    assert "grq - rabbitmq" not in titles
    for box in drawing.boxes:
        assert box.x >= 0 and box.x + box.width <= drawing.width and box.y >= 0 and box.y + box.height <= drawing.height
        same = [b for b in drawing.boxes if b.kind == box.kind and b is not box]
        assert all(b.y + b.height <= box.y or box.y + box.height <= b.y for b in same)


def test_markup_in_an_old_site_is_text_on_the_page() -> None:
    found = [Finding("none", "<script>alert(1)</script>", "a & b", 'x"><b>')]
    text = page(found, None, old="<i>", new="n", dry_run=True)
    assert "<script" not in text and "<b>" not in text and "<i>" not in text and "a &amp; b" in text


def test_what_is_easily_overlooked_is_told(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (old / "files" / "gone").symlink_to(tmp_path / "nothing")
    (old / "files" / "tree").symlink_to(PARTS)
    (old / "files" / "binary").write_bytes(b"\xff\x00")
    (old / "config.bak").write_text("A: 1\n")
    with (old / "config").open("a") as file:
        file.write("1: number\n")
    conf = tmp_path / "more.conf"
    conf.write_text("[program:a]\ncommand=a\nnumprocs=2\nnumprocs=3\n")
    assert run(old, tmp_path / "new", "-o", "json", "--supervisord", f"grq={conf}") == 3
    found = {(f["subject"], f["line"]): f for f in json.loads(capsys.readouterr().out)["findings"]}
    for subject, line in (("gone", 0), ("tree", 0), ("config.bak", 0), ("program a numprocs", 3)):
        assert found[subject, line]["kind"] == "none", subject
    assert found["binary", 0]["kind"] == "none" and (tmp_path / "new/files/binary").read_bytes() == b"\xff\x00"
    assert "not text" in found["check: the site", 0]["words"]


def test_a_program_that_names_an_own_file_takes_it_along(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, ops = tmp_path / "old", tmp_path / "ops"
    shutil.copytree(DEMO / "sds", home)
    (ops / "bin").mkdir(parents=True)
    (ops / "bin" / "watch.sh").write_text("#!/bin/sh\nsleep 9\n")
    (home / "config").write_text((home / "config").read_text().replace("OPS_HOME: /home/ops", f"OPS_HOME: {ops}"))
    conf = tmp_path / "own.conf"
    conf.write_text(f"[program:watch]\ncommand={ops}/bin/watch.sh {ops}/bin/lost.sh\n")
    line = ["migrate", "import", "--from", str(home), "--source", str(DEMO / "ops"), "--out", str(tmp_path / "new")]
    with pytest.raises(SystemExit) as end:
        main([*line, "--supervisord", f"mozart={conf}"])
    assert not end.value.code and "lost.sh is not on this host" in capsys.readouterr().out
    assert container(objects(tmp_path / "new")["mozart-watch"])["command"][1:] == [
        "/opt/sds/site/bin/watch.sh", "/opt/sds/site/bin/lost.sh",
    ]  # fmt: skip
    assert yaml.safe_load((tmp_path / "new/site.yaml").read_text())["source"] == str(DEMO / "ops")
    laid = load_overrides(tmp_path / "new")["mozart"].files
    assert [(o.source, o.target) for o in laid] == [("overrides/mozart/bin/watch.sh", "/opt/sds/site/bin/watch.sh")]
    assert stat.S_IMODE((tmp_path / "new" / laid[0].source).stat().st_mode) == 0o755


def test_the_component_is_read_off_the_path_or_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("grq", "elsewhere"):
        (tmp_path / folder).mkdir()
        shutil.copy(PARTS / "crontab.ops", tmp_path / folder / "cron.txt")
    ends = []
    for folder in ("grq", "elsewhere"):
        with pytest.raises(SystemExit) as end:
            main(["assess", "--from", str(DEMO / "sds"), "--crontab", str(tmp_path / folder / "cron.txt")])
        ends.append(end.value.code)
    said = capsys.readouterr()
    assert ends == [0, 2] and "grq: timer purge" in said.out and "write COMPONENT=" in said.err


def test_a_secret_in_a_command_is_in_no_manifest(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        (old / "config").read_text().replace('MOZART_RABBIT_PASSWORD: "@generated@"', 'MOZART_RABBIT_PASSWORD: "pa$$w"')
    )
    (old / "config").write_text(text)
    conf = tmp_path / "own.conf"
    conf.write_text(
        "[program:flower]\ncommand=flower --broker=amqp://ops:pa$$w@mq:5672 -n %(process_num)02d.%%h\nnumprocs=2\n"
    )
    assert run(old, tmp_path / "new", "--supervisord", f"mozart={conf}") == 0
    capsys.readouterr()
    flower = objects(tmp_path / "new")["mozart-flower"]
    assert flower["spec"]["replicas"] == 2
    assert container(flower)["command"][1:] == ["flower", "$(IMPORTED_ARGUMENT_1)", "-n", "00.%h"]
    entry = {e["name"]: e for e in container(flower)["env"]}["IMPORTED_ARGUMENT_1"]["valueFrom"]["secretKeyRef"]
    assert entry["name"] == "mozart-imported"
    assert all("pa$" not in p.read_text() for p in (tmp_path / "new/manifests").rglob("*.yaml"))
    kept = yaml.safe_load((tmp_path / "new/manifests/mozart/component.yaml").read_text())["secrets"][0]["keys"]
    assert load_site(tmp_path / "new").config[kept[entry["key"]]] == "--broker=amqp://ops:pa$$w@mq:5672"
