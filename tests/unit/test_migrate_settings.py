"""Settings files become environment or mounted files, and what a program reads stays the same, byte for byte."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from sdsk8s.cli.main import main
from sdsk8s.migrate.environment_file import read_environment
from sdsk8s.render.objects import render
from sdsk8s.site.templates import load_texts
from sdsk8s.verbs.options import Options
from sdsk8s.verbs.session import Session

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo-site"
PARTS = ROOT / "tests" / "cases" / "old-site"


def by_shell(path: Path) -> dict[str, str]:
    """The variables that /bin/sh reads from the file."""
    line = ["env", "-i", "/bin/sh", "-c", "set -a; . ./" + path.name + "; exec /usr/bin/env -0"]
    done = subprocess.run(line, cwd=path.parent, capture_output=True, check=True, timeout=20)
    pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
    return {name: value for name, _, value in pairs if name not in ("PWD", "_", "OLDPWD", "SHLVL")}


NASTY = [
    "A=", "A=x", "A='a b'", 'A="a b"', r"A=a\ b", r'A="a\"b"', "A='a\"b'", r"A='a\nb'", r'A="a\nb"', "A=\"a'b\"",
    "A='$HOME `id` $(id)'", r'A="\$HOME \`id\`"', "A=100%", "A=a#b", "A=a # b", "A='x'\"y\"z", "A='two\nlines'",
    'A="two\\\nlines"', "A='ends in spaces   '", "A=ü🙂", "A='a\tb'", "A=a=b==", "export A=1", "  export   A=1  ",
    "A=1 B=2", "A=$", 'A="$"', 'A="a$ b"', "A=a\\", "A='\\'", r'A="\\"', "A=a\r\nB=b\r\n", "A=*", "A={a,b}", "A=[x]",
    "A=a!b", "# c\n\nA=1\n#d\n", "A=x~y", "A='~'", r"A=\~", "A=\u2028x\u0085y", "A='%(x)s %d'", 'A="$\'x\'"', "A=a:b",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_a_value_is_what_the_shell_reads(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.env"
    path.write_bytes(text.encode())
    found = read_environment(path.read_bytes().decode())
    assert found is not None and not any(a.trouble for a in found)
    assert {a.name: a.value for a in found} == by_shell(path)


def test_random_files_are_read_as_the_shell_does_or_not_at_all(tmp_path: Path) -> None:
    dice, path, same = random.Random(7), tmp_path / "x.env", 0
    for _ in range(300):
        text = "A=" + "".join(dice.choices("ab'\"\\$ #\n~=%{;`:é", k=dice.randrange(1, 9)))
        found = read_environment(text)
        if found is None or any(a.trouble for a in found):
            continue
        path.write_text(text)
        assert {a.name: a.value for a in found} == by_shell(path), text
        same += 1
    assert same > 60


@pytest.mark.parametrize("text", ["A=$B", "A=${B}", "A=`id`", 'A="$(id)"', "A=~/x", "A=a;id", "A=a&", "A=$'x'", "A='x"])
def test_what_a_shell_would_compute_is_not_guessed(text: str) -> None:
    found = read_environment(text)
    assert found is not None and found[0].trouble


@pytest.mark.parametrize("text", ["[a]\nb=1\n", "a = 1\n", "A=1\nif x; then\n", "a.b=1\n", "", "A=1 id\n", "# only\n"])
def test_other_files_are_no_environment(text: str) -> None:
    assert read_environment(text) is None


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder, text = tmp_path_factory.mktemp("settings"), io.StringIO()
    shutil.copytree(DEMO / "sds", folder / "old")
    (folder / "old/config").write_text((DEMO / "sds/config").read_text().replace("@generated@", "generated-value"))
    (folder / "cut.ini").write_bytes(b"a = \xff\n")
    files = [PARTS / "mozart.env", PARTS / "feed.cfg", PARTS / "crlf.ini", folder / "cut.ini"]
    given = [word for file in files for word in ("--settings", f"mozart={file}")]
    given += ["--supervisord", f"mozart={PARTS}/supervisord.conf"]
    line = [
        "migrate",
        "import",
        "--from",
        str(folder / "old"),
        "--source",
        str(DEMO / "ops"),
        "--out",
        str(folder / "new"),
    ]
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as end:
        main([*line, *given, "-o", "json"])
    assert end.value.code == 0, text.getvalue()[-2000:]
    return folder / "new", json.loads(text.getvalue())["findings"]


def rendered(home: Path) -> dict[tuple[str, str], dict[str, Any]]:
    session = Session(Options(home=str(home)))
    mozart = session.catalogue.get("mozart")
    names = {name: f"site/{name}:1" for name in mozart.images}
    found = render(session.site, session.catalogue, mozart, load_texts(session.site, [mozart]), names)
    return {(o["kind"], o["metadata"]["name"]): o for o in found}


def test_every_container_reads_the_same_bytes(new: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    objects = rendered(new[0])
    plain = objects["ConfigMap", "mozart-settings-env"]["data"]
    secret = {k: base64.b64decode(v).decode() for k, v in objects["Secret", "mozart-settings-env"]["data"].items()}
    before = by_shell(PARTS / "mozart.env")
    computed = {"FEED_NEXT", "PATH"}
    assert {**plain, **secret} == {k: v for k, v in before.items() if k not in computed}
    assert set(secret) == {"FEED_API_KEY"}
    for name in ("mozart-api", "mozart-events", "mozart-feed-poller"):
        pod = objects["Deployment", name]["spec"]["template"]
        assert pod["spec"]["containers"][0]["envFrom"] == [
            {"configMapRef": {"name": "mozart-settings-env"}}, {"secretRef": {"name": "mozart-settings-env"}},
        ]  # fmt: skip
        assert {m["mountPath"] for m in pod["spec"]["containers"][0]["volumeMounts"]} >= {"/opt/sds/settings", "/tmp"}
        assert pod["metadata"]["annotations"]["sdsk8s/config-hash"]


def test_pods_roll_when_a_variable_changes(new: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    shutil.copytree(new[0], tmp_path / "site")
    file = tmp_path / "site/manifests/mozart/imported.yaml"
    file.write_text(file.read_text().replace("spaces at the end", "others at the end"))
    hashes = [
        rendered(home)["Deployment", "mozart-api"]["spec"]["template"]["metadata"]["annotations"]["sdsk8s/config-hash"]
        for home in (new[0], tmp_path / "site")
    ]
    assert hashes[0] != hashes[1]


def test_files_stay_byte_equal_with_the_old_addresses(new: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    objects = rendered(new[0])
    secret = objects["Secret", "mozart-settings-secret"]["data"]
    assert base64.b64decode(secret["crlf.ini"]) == (PARTS / "crlf.ini").read_bytes()
    text = objects["ConfigMap", "mozart-settings-files"]["data"]["feed.cfg"]
    assert "http://elasticsearch:9200/datasets" in text and "broker = rabbitmq:5672\nsomewhere = 10.0.0.11\n" in text
    # with the stores outside the cluster the addresses are the old ones, and so is every byte
    shutil.copytree(new[0], tmp_path / "site")
    stores = {name: {"where": "external"} for name in ("elasticsearch", "rabbitmq", "redis")}
    site = yaml.safe_load((tmp_path / "site/site.yaml").read_text())
    (tmp_path / "site/site.yaml").write_text(yaml.safe_dump({**site, "components": stores}))
    again = rendered(tmp_path / "site")["ConfigMap", "mozart-settings-files"]["data"]["feed.cfg"]
    assert again.encode() == (PARTS / "feed.cfg").read_bytes()


def test_each_variable_and_file_has_a_verdict(new: tuple[Path, list[dict[str, Any]]]) -> None:
    kinds = {f["subject"]: (f["kind"], f["line"]) for f in new[1] if "env" in f["file"] or "in" in f["file"]}
    assert kinds["mozart.env FEED_NOTE"] == ("taken", 3) and kinds["mozart.env FEED_PERCENT"] == ("taken", 5)
    assert kinds["mozart.env FEED_NEXT"] == ("none", 9) and kinds["mozart.env PATH"] == ("changed", 10)
    assert kinds["mozart.env FEED_ES"] == ("changed", 11)
    assert kinds["cut.ini"] == ("none", 0) and kinds["crlf.ini"] == ("taken", 0)
