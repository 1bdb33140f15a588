"""What goes into a build: files, links, excludes, the tar."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sdsk8s.backends.docker import context, kinds
from sdsk8s.backends.docker.builder import Workshop
from sdsk8s.backends.docker.engine import Engine
from sdsk8s.backends.docker.provenance import revision
from sdsk8s.errors import ConfigError, ImageError, RefusedError
from sdsk8s.model.image import ImageSpec

DOCKERFILES = Path(__file__).resolve().parents[2] / "dockerfiles"


def make_tree(root: Path) -> Path:
    files = {
        "a/a/__init__.py": "x = 1\n",
        "a/setup.py": "",
        "a/.git/config": "",
        "a/a/__pycache__/a.pyc": "",
        "a/old.pyc": "",
        "a/a.egg-info/PKG-INFO": "",
        "a/.venv/x": "",
        "a/node_modules/x/y.js": "",
        "b/b.py": "",
        "shared/data.json": "{}",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "a/data").symlink_to("../shared")  # followed
    (root / "a/one.json").symlink_to("../shared/data.json")  # followed
    (root / "a/gone").symlink_to("/nonexistent")
    (root / "a/a/up").symlink_to("..")  # a loop
    (root / "b/tool").write_text("#!/bin/sh\n")
    (root / "b/tool").chmod(0o755)
    return root


def tree_files(root: Path, *packages: str) -> dict[str, str]:
    return context.digests(context.source_files(root, packages))


def test_tree_files_follow_links_and_leave_clutter_out(tmp_path: Path) -> None:
    found = tree_files(make_tree(tmp_path), "a", "b")
    assert sorted(found) == ["a/a/__init__.py", "a/data/data.json", "a/one.json", "a/setup.py", "b/b.py", "b/tool"]
    assert found["a/data/data.json"] == found["a/one.json"]
    assert found["b/tool"].endswith("+x") and not found["b/b.py"].endswith("+x")


def test_digests_change_with_content_and_mode_not_with_time(tmp_path: Path) -> None:
    make_tree(tmp_path)
    before = tree_files(tmp_path, "b")
    os.utime(tmp_path / "b/b.py", (1, 1))
    assert tree_files(tmp_path, "b") == before
    (tmp_path / "b/b.py").chmod(0o755)
    assert tree_files(tmp_path, "b") != before
    (tmp_path / "constraints.txt").write_text("x==1\n")
    assert "constraints.txt" in tree_files(tmp_path, "b")


def test_missing_package_says_what_is_there(tmp_path: Path) -> None:
    make_tree(tmp_path)
    with pytest.raises(ConfigError) as err:
        tree_files(tmp_path, "a", "shard")
    assert '"shard"' in err.value.what and err.value.target == str(tmp_path)
    assert err.value.words == 'did you mean "shared"? available: a, b, shared'
    with pytest.raises(ConfigError, match="there is no source tree"):
        tree_files(tmp_path / "none", "a")


def test_context_is_the_same_tar_for_the_same_input(tmp_path: Path) -> None:
    make_tree(tmp_path)
    recipe = {"Dockerfile": tmp_path / "b/b.py"}
    files = context.source_files(tmp_path, ["a"])

    def build() -> bytes:
        with context.make_context(recipe, files, {"/opt/sds/ops/x": "/y"}, {"ca.crt": b"pem"}) as tar:
            return tar.read()

    first = build()
    os.utime(tmp_path / "b/b.py", (1, 1))
    assert build() == first
    with (
        context.make_context(recipe, files, {"/l": "/t"}, {"ca.crt": b"pem"}) as handle,
        tarfile.open(fileobj=handle) as tar,
    ):
        assert [m.name for m in tar.getmembers() if m.isdir()] == ["packages", "net", "bin"]
        names = tar.getnames()
        assert {"Dockerfile", "packages/a/a/__init__.py", "net/ca.crt", "links.json"} <= set(names)
        links = tar.extractfile("links.json")
        assert links is not None and json.load(links) == {"/l": "/t"}


def test_every_shipped_dockerfile_is_complete_and_has_a_budget() -> None:
    budgets = kinds.load_budgets(DOCKERFILES)
    folders = ("base", "service", "worker", "site", "indexer", "redis", "rabbitmq", "elasticsearch")
    for folder in (*folders, "elasticsearch-official"):
        kind = kinds.load_kind(DOCKERFILES, folder)
        recipe = context.recipe_files(DOCKERFILES, kind)
        text = recipe["Dockerfile"].read_text()
        assert kind.target is None or f" AS {kind.target}\n" in text
        wanted = text  # stages behind the target are not built
        if kind.target:
            head, _, tail = text.partition(f" AS {kind.target}\n")
            wanted = head + tail.split("\nFROM ")[0]
        for line in wanted.splitlines():
            if line.startswith("COPY ") and "--from" not in line:
                for source in line.split()[1:-1]:
                    known = source in ("net", "packages", "bin", "overrides", "links.json")
                    assert known or source in recipe or any(n.startswith(f"{source}/") for n in recipe), line
        assert f"ARG {kind.parent}" in text
        assert folder in budgets.limits
    # settings of the building host enter throw-away stages only
    for path in DOCKERFILES.glob("*/Dockerfile"):
        last_stage = path.read_text().split("\nFROM ")[-1]
        assert "net" not in last_stage.split() and "RUN" not in last_stage, path


def test_an_unknown_kind_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as err:
        kinds.load_kind(DOCKERFILES, "servise")
    assert 'did you mean "service"?' in err.value.words


def test_over_budget_is_an_error_that_says_by_how_much() -> None:
    budgets = kinds.load_budgets(DOCKERFILES)
    budgets.check("mine", "service", 400_000_000)
    with pytest.raises(ImageError) as err:
        budgets.check("mine", "service", 401_000_000)
    assert err.value.target == "mine: 401 MB (limit 400 MB)"
    budgets.check("mine", "service", 401_000_000, 500)  # the image's own budget goes before that of its kind


def test_workshop_inputs_change_when_the_recipe_or_the_tree_changes(tmp_path: Path) -> None:
    make_tree(tmp_path)
    shop = Workshop(DOCKERFILES, tmp_path)
    spec = ImageSpec("web", "worker", ("a",))
    inputs = shop.inputs(spec)
    assert {"Dockerfile", "bin/sds-supervisord", "tools/net.sh", "packages/a/setup.py"} <= set(inputs)
    assert shop.args(spec)["KIND_REQUIREMENTS"].startswith("supervisor==")
    with pytest.raises(ConfigError, match="built from source"):
        Workshop(DOCKERFILES, None).inputs(spec)


def test_a_link_to_itself_is_left_out_and_a_closed_folder_named(tmp_path: Path) -> None:
    make_tree(tmp_path)
    before = tree_files(tmp_path, "b")
    (tmp_path / "b/loop").symlink_to("loop")
    assert tree_files(tmp_path, "b") == before
    with tempfile.TemporaryDirectory() as outside:
        os.chmod(outside, 0o755)
        (Path(outside) / "c/closed").mkdir(parents=True)
        (Path(outside) / "c/closed").chmod(0)
        with as_nobody(), pytest.raises(ConfigError, match="folder cannot be read") as err:
            tree_files(Path(outside), "c")
    assert err.value.target == f"{outside}/c/closed" and "Permission denied" in err.value.words


@contextmanager
def as_nobody() -> Iterator[None]:
    """root reads everything"""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    make_tree(tmp_path)
    (Path(os.fsdecode(bytes(tmp_path / "b") + b"/na\xffme"))).write_text("x")
    files = context.source_files(tmp_path, ["b"])
    assert revision(tmp_path / "b", context.digests(files)).startswith("tree:")
    with (
        context.make_context({"Dockerfile": b""}, files, {}, {}) as handle,
        tarfile.open(fileobj=handle) as tar,
    ):
        assert "packages/b/na\udcffme" in tar.getnames()


def test_files_that_change_between_their_tag_and_the_build_are_not_built(tmp_path: Path) -> None:
    make_tree(tmp_path)
    shop = Workshop(DOCKERFILES, tmp_path)
    spec = ImageSpec("web", "worker", ("a",))
    inputs = shop.inputs(spec)
    (tmp_path / "a/setup.py").write_text("another")
    with pytest.raises(RefusedError, match="have changed since") as err:
        shop.build(
            Engine("unix:///nowhere"), spec, "r/s/web:tag", parent=None, inputs=inputs, log=tmp_path / "log",
            on_line=print,
        )  # fmt: skip
    assert err.value.target == "packages/a/setup.py"
