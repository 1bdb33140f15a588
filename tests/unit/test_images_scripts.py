"""Scripts that run inside builds and images: metadata of source trees, code layers, rendered store configs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DOCKERFILES = Path(__file__).resolve().parents[2] / "dockerfiles"


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def script(path: str, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DOCKERFILES / path), *argv],
        capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"], **env},
    )  # fmt: skip


def read_packages(ops: Path, out: Path, extra: str = "") -> subprocess.CompletedProcess[str]:
    return script("service/read_packages.py", "--ops", str(ops), "--out", str(out), "--extra", extra)


SETUP = """
from setuptools import find_packages, setup
import core
print("setup.py may print")
setup(name="the-core", version=core.V, packages=find_packages(), install_requires=["redis>=5", "web"],
      entry_points={"console_scripts": ["core-run = core:main"]}, scripts=["bin/old"])
"""


def tree(ops: Path) -> Path:
    write(ops / "core/setup.py", SETUP)
    write(ops / "core/core/__init__.py", "V = '1.5'\ndef main():\n    print('ran')\n")
    write(ops / "core/bin/old", "#!/usr/bin/env python3\nprint('old')\n", 0o755)
    project = '[project]\nname = "web"\nversion = "2"\ndependencies = ["flask<4", "the_core"]\n'
    write(ops / "web/pyproject.toml", project)
    write(ops / "web/src/web/__init__.py", "")
    write(ops / "web/settings.cfg", "in the tree")
    write(ops / "plain/requirements.txt", "# c\nrequests # why\n-r other.txt\n")
    write(ops / "plain/bad.py", "print 'python 2'\n")
    return ops


def test_requirements_are_those_of_all_trees_but_the_trees_themselves(tmp_path: Path) -> None:
    ops = tree(tmp_path / "ops")
    write(ops / "constraints.txt", "redis==5.0\n")
    done = read_packages(ops, tmp_path / "meta", "supervisor==4.3.0")
    assert done.returncode == 0, done.stderr
    wanted = (tmp_path / "meta/requirements/requirements.txt").read_text().split()
    assert wanted == ["flask<4", "redis>=5", "requests", "supervisor==4.3.0"]
    assert (tmp_path / "meta/requirements/constraints.txt").read_text() == "redis==5.0\n"
    assert not list(ops.rglob("__pycache__"))


def test_a_code_change_leaves_the_requirements_as_they_are(tmp_path: Path) -> None:
    ops = tree(tmp_path / "ops")
    read_packages(ops, tmp_path / "one")
    write(ops / "core/core/new.py", "x = 1\n")
    read_packages(ops, tmp_path / "two")
    name = "requirements/requirements.txt"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_broken_setup_names_its_tree(tmp_path: Path) -> None:
    write(tmp_path / "ops/x/setup.py", "raise RuntimeError('no compiler')\n")
    done = read_packages(tmp_path / "ops", tmp_path / "meta")
    assert done.returncode == 1
    assert "package x: its setup.py could not be read" in done.stderr and "no compiler" in done.stderr


def test_a_python_that_the_base_does_not_have_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "ops/x/pyproject.toml", '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=9"\n')
    done = read_packages(tmp_path / "ops", tmp_path / "meta")
    assert done.returncode == 1 and "declares Python >=9" in done.stderr


def test_code_layer_has_trees_links_paths_metadata_and_bytecode(tmp_path: Path) -> None:
    ops = tree(tmp_path / "ops")
    assert read_packages(ops, tmp_path / "meta").returncode == 0
    links = write(tmp_path / "links.json", json.dumps({"/opt/sds/ops/web/settings.cfg": "/opt/sds/etc/web.cfg"}))
    out = tmp_path / "out"
    done = script("service/finish_code.py", "--ops", str(ops), "--meta", str(tmp_path / "meta"), "--links", str(links),
                  "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    link = out / "opt/sds/ops/web/settings.cfg"
    assert link.is_symlink() and os.readlink(link) == "/opt/sds/etc/web.cfg"
    (site,) = out.glob("opt/sds/venv/lib/python*/site-packages")
    assert (site / "sds-ops.pth").read_text().split() == [
        "/opt/sds/ops/core", "/opt/sds/ops/plain", "/opt/sds/ops/web/src",
    ]  # fmt: skip
    assert "core-run = core:main" in (site / "the_core-1.5.dist-info/entry_points.txt").read_text()
    assert list((out / "opt/sds/ops/core/core/__pycache__").glob("*.pyc"))
    for name in ("core-run", "old"):
        path = out / "opt/sds/venv/bin" / name
        assert path.read_text().startswith("#!/opt/sds/venv/bin/python\n") and os.access(path, os.X_OK)
    # the scripts work when the paths are what they will be in the image
    ran = subprocess.run(
        [sys.executable, str(out / "opt/sds/venv/bin/core-run")],
        env={"PYTHONPATH": str(out / "opt/sds/ops/core")}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.stdout == "ran\n"


def test_a_link_must_not_replace_a_folder(tmp_path: Path) -> None:
    ops = tree(tmp_path / "ops")
    read_packages(ops, tmp_path / "meta")
    links = write(tmp_path / "links.json", json.dumps({"/opt/sds/ops/web/src": "/x"}))
    done = script("service/finish_code.py", "--ops", str(ops), "--meta", str(tmp_path / "meta"), "--links", str(links),
                  "--out", str(tmp_path / "out"))  # fmt: skip
    assert done.returncode == 1 and "link /opt/sds/ops/web/src: a folder" in done.stderr


SHOW = '#!/bin/sh\necho ARGV "$@"\necho \'ENV\' "$REDIS_PASSWORD$RABBITMQ_DEFAULT_PASS"\n'


def test_redis_password_is_in_a_private_file_only(tmp_path: Path) -> None:
    server = write(tmp_path / "server", SHOW, 0o755)
    done = script(
        "redis/sds-redis", REDIS_SERVER=str(server), SDS_RUN=str(tmp_path / "run"), REDIS_DATA=str(tmp_path / "data"),
        REDIS_PASSWORD='a"b\\c é', REDIS_SETTINGS_FILE=str(write(tmp_path / "extra", "maxclients 7\n")),
    )  # fmt: skip
    conf = tmp_path / "run/redis/redis.conf"
    assert done.stdout == f"ARGV {conf}\nENV \n"
    assert conf.stat().st_mode & 0o777 == 0o600
    text = conf.read_text()
    assert 'requirepass "a\\x22b\\x5cc \\xc3\\xa9"' in text
    assert "appendonly yes" in text and "maxmemory-policy noeviction" in text and "maxclients 7" in text


def test_redis_offers_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    server = write(tmp_path / "server", SHOW, 0o755)
    env = {"REDIS_SERVER": str(server), "SDS_RUN": str(tmp_path / "run"), "REDIS_DATA": str(tmp_path / "data")}
    tls = tmp_path / "tls"
    for name in ("tls.crt", "tls.key"):
        script("redis/sds-redis", **env, REDIS_TLS_DIR=str(tls))
        assert "tls-port" not in (tmp_path / "run/redis/redis.conf").read_text()
        write(tls / name, "PEM")
    script("redis/sds-redis", **env, REDIS_TLS_DIR=str(tls))
    text = (tmp_path / "run/redis/redis.conf").read_text()
    assert "tls-port 6380" in text and f'tls-key-file "{tls}/tls.key"' in text and "port 6379" in text


def test_rabbitmq_gets_the_hash_of_its_password(tmp_path: Path) -> None:
    server = write(tmp_path / "server", SHOW, 0o755)
    env = {"RABBITMQ_SERVER": str(server), "SDS_RUN": str(tmp_path / "run"), "HOME": str(tmp_path / "home")}
    done = script("rabbitmq/sds-rabbitmq", **env, RABBITMQ_DEFAULT_USER="u", RABBITMQ_DEFAULT_PASS="topsecret")
    assert done.returncode == 0 and done.stdout == "ARGV\nENV \n"
    run = tmp_path / "run/rabbitmq"
    assert "topsecret" not in "".join(p.read_text() for p in run.iterdir())
    (user,) = json.loads((run / "definitions.json").read_text())["users"]
    raw = base64.b64decode(user["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + b"topsecret").digest()
    days = int((run / "rabbitmq.conf").read_text().split("consumer_timeout = ")[1].split()[0]) / 86_400_000
    assert days > 70
    cookie = tmp_path / "home/.erlang.cookie"
    kept = cookie.read_text()
    cookie.chmod(0o660)
    script("rabbitmq/sds-rabbitmq", **env, RABBITMQ_DEFAULT_USER="u", RABBITMQ_DEFAULT_PASS="other")
    assert cookie.read_text() == kept and cookie.stat().st_mode & 0o777 == 0o600
    assert script("rabbitmq/sds-rabbitmq", **env).returncode == 1


def test_search_node_config(tmp_path: Path) -> None:
    java = write(tmp_path / "java", SHOW, 0o755)
    home = tmp_path / "home"
    write(home / "log4j2.properties", "")
    done = script(
        "elasticsearch/sds-elasticsearch", JAVA=str(java), ES_HOME=str(home), ES_DATA=str(tmp_path / "es/data"),
        SDS_RUN=str(tmp_path / "run"), TMPDIR=str(tmp_path / "tmp"), ES_HEAP="300m", ES_CLUSTER_NAME="a: b",
        ES_SETTINGS_FILE=str(write(tmp_path / "more.yml", "x: 1\n")),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "-Xmx300m" in done.stdout and "-XX:+UseSerialGC" in done.stdout
    text = (tmp_path / "run/elasticsearch/config/elasticsearch.yml").read_text()
    for line in ('cluster.name: "a: b"', "node.store.allow_mmap: false", 'discovery.type: "single-node"', "x: 1"):
        assert line in text.splitlines()


@pytest.mark.parametrize("name", ["extra", "known"])
def test_only_certificates_beyond_debians_own_are_passed_to_java(tmp_path: Path, name: str) -> None:
    pem = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
    known = write(tmp_path / "known.pem", pem.format("AAAA") + pem.format("BB\nBB"))
    bundle = write(tmp_path / "bundle.pem", pem.format("BBBB") + (pem.format("CCCC") if name == "extra" else ""))
    done = script("tools/extra_cas.py", str(bundle), str(known), str(tmp_path / "out"))
    assert done.returncode == 0
    found = [p.read_text() for p in (tmp_path / "out").iterdir()]
    assert found == ([pem.format("CCCC")] if name == "extra" else [])


def test_names_in_exclude_txt_are_left_out_but_not_what_the_image_asks_for(tmp_path: Path) -> None:
    ops = tree(tmp_path / "ops")
    write(ops / "exclude.txt", "# never imported\nRedis\nsupervisor\nno-tree-declares-it\n")
    done = read_packages(ops, tmp_path / "meta", "supervisor==4.3.0")
    assert done.returncode == 0, done.stderr
    wanted = (tmp_path / "meta/requirements/requirements.txt").read_text().split()
    assert wanted == ["flask<4", "requests", "supervisor==4.3.0"]
    assert "left out, as exclude.txt says: redis>=5" in done.stdout


def test_credential_files_land_in_home_with_mode_0600(tmp_path: Path) -> None:
    etc, home = tmp_path / "etc", tmp_path / "home"
    home.mkdir()
    write(etc / "netrc-os", "default login a password b\n", 0o444)
    write(etc / "aws_config", "[default]\n", 0o440)
    write(etc / "other", "x")
    for _ in range(2):  # a container may start again in the same pod
        done = script("base/sds-home", "sh", "-c", "echo then $0", "ran", SDS_ETC=str(etc), HOME=str(home))
        assert (done.returncode, done.stdout) == (0, "then ran\n"), done.stderr
    found = {str(p.relative_to(home)): p.stat().st_mode & 0o777 for p in home.rglob("*") if p.is_file()}
    assert found == {".netrc-os": 0o600, ".aws/config": 0o600}


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write(tmp_path / "netrc", "x")
    done = script("base/sds-home", "true", SDS_ETC=str(tmp_path), HOME="/proc/none")
    assert done.returncode == 1 and "HOME must be a writable folder" in done.stderr
