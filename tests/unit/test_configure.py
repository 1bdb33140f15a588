"""`configure`: merges, quotes, keeps, backs up; refuses what it cannot ask and what must not be typed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from sdsk8s.cli.main import main
from sdsk8s.site.configure import merged
from sdsk8s.site.folder import load_site
from sdsk8s.site.legacy import legacy

OLD = """# our site
MOZART_PVT_IP: 10.0.0.1   # the big one
MY_OWN_KEY: kept
LDAP_GROUPS: a, b
MOZART_ES_PVT_IP:
  - es1.example
  - es2.example
QUEUES:
  - QUEUE_NAME: ours
    INSTANCE_TYPES: [m5.large]
"""


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    return int(end.value.code or 0)


def test_merge_changes_one_line_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(OLD)
    new = merged(file, {"LDAP_GROUPS": "c", "MOZART_PVT_IP": "10.0.0.1"})
    assert new == OLD.replace("LDAP_GROUPS: a, b", "LDAP_GROUPS: c")


@pytest.mark.parametrize("word", ["a#b", "a: b", "@x", "%x", "0123", "yes", "null", "1e3", "'\"\\", "x #y", "é", "- a"])
def test_any_password_comes_back_as_it_was(tmp_path: Path, word: str) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text(yaml.safe_dump({"MOZART_RABBIT_PASSWORD": word, "CODE_BUCKET": word}))
    home = tmp_path / "sds"
    assert run("configure", "--from", str(answers), "--home", str(home)) == 0
    config = load_site(home).config
    assert config["MOZART_RABBIT_PASSWORD"] == config["CODE_BUCKET"] == word
    assert stat.S_IMODE((home / "config").stat().st_mode) == 0o600


def test_a_new_site_has_every_key_of_the_dialogue_and_the_defaults(tmp_path: Path) -> None:
    home = tmp_path / "sds"
    assert run("configure", "--set", "MOZART_PVT_IP=10.1.1.1", "--set", "namespace=ops", "--home", str(home)) == 0
    site = load_site(home)
    assert site.config["MOZART_REDIS_PVT_IP"] == "10.1.1.1", "not asked: the store is where its component is"
    assert site.config["GRQ_PORT"] == 8878 and site.config["MOZART_ES_CLUSTER"] == "resource_cluster"
    assert set(legacy()["fixed"]) <= set(site.config)
    assert site.namespace == "ops"


def test_queues_own_keys_and_comments_survive_and_the_old_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(OLD)
    assert run("configure", "-f", "--set", "VENUE=test", "--home", str(tmp_path)) == 0
    text = (tmp_path / "config").read_text()
    assert text.startswith(OLD.replace("QUEUES", "QUEUES")), "what was there stands first, byte for byte"
    assert yaml.safe_load(text)["VENUE"] == "test"
    (backup,) = tmp_path.glob("config.*.bak")
    assert backup.read_text() == OLD and stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_the_second_run_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        assert run("configure", "-f", "--set", "VENUE=test", "--home", str(tmp_path)) == 0
    assert not list(tmp_path.glob("*.bak"))


def test_a_secret_on_the_command_line_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("configure", "--set", "MOZART_REDIS_PASSWORD=hunter22", "--home", str(tmp_path)) == 2
    assert "hunter22" not in capsys.readouterr().err
    assert not (tmp_path / "config").exists()


def test_an_impossible_answer_leaves_the_old_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").write_text(OLD)
    assert run("configure", "-f", "--set", "MOZART_ES_ENGINE=solr", "--home", str(tmp_path)) == 1
    assert "one of: elasticsearch, opensearch" in capsys.readouterr().err
    assert (tmp_path / "config").read_text() == OLD and len(list(tmp_path.iterdir())) == 1


def test_without_a_terminal_nothing_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("configure", "--home", str(tmp_path)) == 4
    assert "--from FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "level", "words"),
    [
        ("MOZART_PVT_IP: None", "warning", "the text None"),
        ("MOZART_PVT_IP:", "note", "not configured"),
        ("MOZART_PVT_IP: ops@10.0.0.1", "", ""),
        ("MOZART_PVT_IP: [a, b]", "broken", "only a search engine"),
        ("MOZART_ES_PVT_IP: [a, b]", "note", "2 hosts"),
        ("MOZART_ES_PVT_IP: https://es.example:9200", "", ""),
        ("MOZART_ES_PVT_IP: ops@es.example", "broken", "SSH target"),
        ("GRQ_PVT_IP: https://x.example", "broken", "URL"),
        ("LDAP_GROUPS:", "note", "empty list"),
        ("MOZART_ES_ENGINE: solr", "broken", "invalid value"),
        ("MOZART_REDIS_PASSWORD: 0123", "broken", "changes it"),
        ("MOZART_REDIS_PASSWORD: abc #d", "warning", "comment"),
        ("MOZRT_PVT_IP: x", "warning", "no known template or verb"),
        ("MY_OWN_KEY: x", "note", "kept"),
        ("QUEUES: [{QUEUE_NAME: a_b}, {QUEUE_NAME: a.b}]", "broken", "same workload name"),
        ("QUEUES: [{QUEUE_NAME: a, GRACE_SECONDS: 5m}]", "broken", "GRACE_SECONDS is '5m'"),
        ("QUEUES: [{INSTANCE_TYPES: []}]", "broken", "QUEUE_NAME is missing"),
        ("OTHER_VERDI_HOSTS: [{VERDI_PVT_IP: 10.0.0.9}]", "warning", "separate worker host"),
        ("GRQ_PORT: 99999", "broken", "not a port"),
    ],
)
def test_oddities(tmp_path: Path, line: str, level: str, words: str) -> None:
    from sdsk8s.site.legacy_config import read_legacy_config

    file = tmp_path / "config"
    file.write_text("# first line\n" + line + "\n")
    found = [f for f in read_legacy_config(file).findings if f.level != "missing"]
    if not level:
        assert not found
        return
    assert any(f.level == level and words in f.words and f.line == 2 for f in found), found


def test_a_key_written_twice_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config").write_text("VENUE: a\nOPS_USER: ops\nVENUE: b\n")
    assert run("config", "check", "--home", str(tmp_path)) == 1
    out = capsys.readouterr().out
    assert "config:3  VENUE: duplicate key" in out and "MOZART_ES_CLUSTER: the key is missing" in out
