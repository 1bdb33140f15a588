"""Every kind of problem that an audit knows is found in a made-up image, and a clean one has none."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sdsk8s.backends.docker.audit import Problem, Rules, audit

RULES = Rules.load(Path(__file__).resolve().parents[2] / "dockerfiles")
SETTINGS = {"User": "10001:10001", "Env": ["PATH=/opt/sds/venv/bin:/bin"]}
SECRET = {"DB_PASSWORD": "correct-horse"}
Entry = tuple[str, bytes, int, int]
CLEAN: list[Entry] = [
    ("usr/bin/sh", b"x", 0o755, 0),
    ("opt/sds/ops/core/core.py", b"x = 1", 0o444, 0),
    ("opt/sds/ops/core/make", b"not a program place", 0o444, 0),
    ("tmp", b"", 0o1777, 0),
    ("home/ops", b"", 0o755, 10001),
]


def image(entries: list[Entry]) -> Iterator[bytes]:
    """A file system as an engine sends it, in small pieces; a path without content is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data, mode, uid in entries:
            info = tarfile.TarInfo(name)
            info.mode, info.uid, info.size = mode, uid, len(data)
            info.type = tarfile.REGTYPE if data else tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data) if data else None)
    data = out.getvalue()
    return (data[i : i + 700] for i in range(0, len(data), 700))


def test_a_clean_image_has_no_problem() -> None:
    assert audit(image(CLEAN), SETTINGS, ["COPY x"], RULES, needed=["sh", "/bin/sh"], secrets=SECRET) == []


@pytest.mark.parametrize(
    ("entry", "check"),
    [
        (("usr/bin/su", b"x", 0o4755, 0), "set-uid"),
        (("usr/bin/gcc", b"x", 0o755, 0), "compilers"),
        (("usr/bin/gcc-12", b"x", 0o755, 0), "compilers"),
        (("var/cache/apt/pkgcache.bin", b"x", 0o644, 0), "caches"),
        (("root/.cache/pip/x", b"x", 0o644, 0), "caches"),
        (("root/.netrc", b"machine x", 0o600, 0), "credentials"),
        (("etc/app.conf", b"pw = correct-horse", 0o644, 0), "credentials"),
        (("etc/tls/server.key", b"-----BEGIN RSA PRIVATE KEY-----", 0o600, 0), "credentials"),
        (("opt/sds/venv/lib/python3.11/site-packages/kubernetes", b"", 0o755, 0), "packages"),
        (("opt/sds/ops/core/data", b"", 0o777, 0), "writable"),
        (("opt/sds/ops/core/state.db", b"x", 0o644, 10001), "writable"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_each_defect_is_found_alone(entry: Entry, check: str) -> None:
    assert [p.check for p in audit(image([*CLEAN, entry]), SETTINGS, [], RULES, secrets=SECRET)] == [check]


def test_what_a_tree_needs_may_pass_and_keys_of_packages_own_tests_are_no_secrets() -> None:
    venv = "opt/sds/venv/lib/python3.11/site-packages"
    key = b"-----BEGIN RSA PRIVATE KEY-----"
    entries: list[Entry] = [
        (f"{venv}/fabric", b"", 0o755, 0),
        (f"{venv}/gevent/tests/server.key", key, 0o644, 0),
        (f"{venv}/future/backports/test/keycert.pem", key, 0o644, 0),
    ]
    assert audit(image([*CLEAN, *entries]), SETTINGS, [], RULES, allow=["fabric"]) == []
    theirs: list[Entry] = [("opt/sds/ops/core/tests/server.key", key, 0o644, 0)]
    found = audit(image([*CLEAN, *theirs, *entries]), SETTINGS, [], RULES)
    assert [p.check for p in found] == ["credentials", "packages"]
    assert "ops/core/tests" in found[0].words


@pytest.mark.parametrize("user", ["", "root", "0:0", "ops"])
def test_root_and_names_are_no_users(user: str) -> None:
    assert [p.check for p in audit(image(CLEAN), {**SETTINGS, "User": user}, [], RULES)] == ["user"]


def test_secrets_in_environment_or_history_are_named_by_key_and_not_shown() -> None:
    found = audit(image(CLEAN), SETTINGS, ["RUN login -p correct-horse"], RULES, secrets=SECRET)
    assert found == [Problem("credentials", "the value of DB_PASSWORD is in the environment or the history")]


def test_a_program_that_a_manifest_starts_must_be_there() -> None:
    found = audit(image(CLEAN), SETTINGS, [], RULES, needed=["sh", "gunicorn", "/opt/x"])
    assert [p.words.split()[0] for p in found] == ["/opt/x", "gunicorn"]
