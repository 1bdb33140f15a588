"""Values that look secret are found in `config`, in templates of ConfigMaps and in manifests, and never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import as_published

from sdsk8s.cli.main import main
from sdsk8s.lint.together import findings
from sdsk8s.model.secrets import secrets_in

ROOT = Path(__file__).parent.parent.parent
TOKEN = "ghp_" + "a1B2" * 9
JWT = "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiJvcHMifQ." + "c2lnbmF0dXJlLW9mLWl0"


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("text", "certain"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        (f"auth: {TOKEN}", True),
        (f"header = {JWT}", True),
        ("broker: amqp://guest:hunter22@rabbitmq:5672", True),
        ("redis://:hunter22@redis:6379/0", True),
        ("SECRET_KEY = 'hunter22'", False),
        ('"adminPassword": "hunter22"', False),
        ("api-key: hunter22", False),
        ("aws_secret_access_key=hunter22/x", False),
    ],
)
def test_what_looks_secret(text: str, certain: bool) -> None:
    assert [line for line, _ in secrets_in("one\n" + text + "\n")] == [2]
    assert bool(list(secrets_in(text, guess=False))) == certain
    assert "hunter22" not in next(iter(secrets_in(text)))[1]


@pytest.mark.parametrize(
    "text",
    [
        "password = {{ MOZART_REDIS_PASSWORD }}",
        "password=%(ENV_PASSWORD)s",
        "redis://:{{ PW }}@redis:6379",
        "http://elasticsearch:9200/x@y",
        "SECRET_KEY = os.environ['SECRET_KEY']",
        "password_file: /run/secrets/password",
        '"tokenizer": "standard"',
        "token: null",
        "password: MOZART_RABBIT_PASSWORD",
        "# password: hunter22",
        "ssh://git@host.example:7999/repo",
    ],
)
def test_what_does_not(text: str) -> None:
    assert list(secrets_in(text)) == []


def test_nothing_that_we_ship_looks_secret() -> None:
    files = [p for p in (ROOT / "manifests").rglob("*") if p.is_file()]
    assert len(files) > 30
    assert not {str(p): found for p in files if (found := list(secrets_in(p.read_text())))}


def test_config_check_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        f"OPS_HOME: {tmp_path}",
        f"MY_HOOK: {TOKEN}",
        "OPS_USER: ops",
        "MOZART_ES_CLUSTER: a",
        "METRICS_ES_CLUSTER: b",
    ]
    (tmp_path / "config").write_text("\n".join(lines) + "\n")
    (tmp_path / "config").chmod(0o600)
    template = tmp_path / "files" / "datasets.json"
    template.parent.mkdir()
    template.write_text('{"publish":\n "s3_secret": "hunter22"}\n')
    (template.parent / "netrc.mozart").write_text("machine x login y password hunter22\n")
    assert run("config", "check", "-o", "json", "--home", str(tmp_path)) == 0
    out = capsys.readouterr().out
    found = {
        (f["file"], f["line"]): f["words"]
        for f in as_published("config-check", json.loads(out))["findings"]
        if f["level"] == "warning"
    }
    assert set(found) == {(str(tmp_path / "config"), 2), (str(template), 2)}, "netrc.mozart becomes a Secret"
    assert "GitHub token" in found[str(tmp_path / "config"), 2] and "s3_secret" in found[str(template), 2]
    assert "hunter22" not in out and TOKEN not in out
    assert run("config", "check", "--strict", "--home", str(tmp_path)) == 1


def test_lint_names_key_and_line_of_a_config_map() -> None:
    text = "a: b\nurl: amqp://guest:hunter22@host\n"
    obj = {"kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"settings.yaml": text}}
    (found,) = findings([obj])
    assert (found.key, found.subject) == ("secret-in-configmap", "ConfigMap/web")
    assert "settings.yaml, line 2" in found.words and "hunter22" not in found.words
