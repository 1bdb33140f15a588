"""Layers and tags: what a change rebuilds, what `--ndeps` keeps, what a site lays over a release, who builds twice."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import BIN, System, as_published
from tiny import change_code, layers, remove, require, tiny_site

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def tiny(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    site = tiny_site(lab, tmp_path_factory.mktemp("tiny"), "tiny-layers")
    yield site
    remove(site)


def pushed(site: System, *argv: str) -> dict[str, Any]:
    """The image `tiny` after `images push`."""
    (row,) = site.sdsk8s("images", "push", "tiny", "-o", "json", *argv).json["images"]
    return dict(row)


def running(site: System) -> str:
    return str(site.get("deployment", "tiny")["spec"]["template"]["spec"]["containers"][0]["image"])


def labels(site: System, ref: str) -> dict[str, str]:
    done = subprocess.run(
        [str(BIN / "python"), "-c", "import json,sys;from sdsk8s.backends.registry import Registry;"
         "print(json.dumps(Registry().labels(sys.argv[1])))", ref], capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_one_line_changes_the_last_layer_and_nothing_else(tiny: System) -> None:
    before = layers(pushed(tiny)["reference"])
    change_code(tiny.tree, "one more line")
    after = layers(pushed(tiny)["reference"])
    assert before[:-1] == after[:-1] and before[-1] != after[-1]


def test_the_same_input_is_built_once_by_two_runs_at_once(tiny: System) -> None:
    change_code(tiny.tree, "for two at once")
    argv = [str(BIN / "sdsk8s"), "images", "push", "tiny", "-o", "json"]
    runs = [subprocess.Popen(argv, env=tiny.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    rows = [json.loads(run.communicate()[0])["images"][0] for run in runs]
    assert rows[0]["digest"] == rows[1]["digest"]
    assert sorted(row["fact"] == "already in the registry" for row in rows) == [False, True]
    assert len(list(tiny.home.glob("builds/*/build-tiny.log"))) == len({*tiny.home.glob("builds/*")})


def test_ndeps_keeps_the_dependency_layer_though_the_requirements_changed(tiny: System) -> None:
    tiny.sds("update", "tiny", "-f")
    tiny.sds("start", "tiny", "-f")
    before = running(tiny)
    require(tiny.tree, "certifi")
    change_code(tiny.tree, "needs certifi now")
    tiny.sds("update", "tiny", "-n", "-f")
    kept = running(tiny)
    assert kept != before
    assert layers(kept)[:-1] == layers(before)[:-1] and layers(kept)[-1] != layers(before)[-1]
    probe = "import importlib.util as u; print(bool(u.find_spec('idna')), bool(u.find_spec('certifi')))"
    assert tiny.kubectl("exec", "deploy/tiny", "--", "python", "-c", probe).out.split() == ["True", "False"]
    assert "needs certifi" in tiny.kubectl("exec", "deploy/tiny", "--", "cat", "/opt/sds/ops/core/core/__init__.py").out
    assert "nothing to do" in tiny.sds("update", "tiny", "-n", "-f").out
    assert running(tiny) == kept
    tiny.sdsk8s("update", "tiny", "--yes")
    assert tiny.kubectl("exec", "deploy/tiny", "--", "python", "-c", probe).out.split() == ["False", "True"]


def test_ndeps_without_a_change_of_requirements_builds_the_usual_image(tiny: System) -> None:
    now = running(tiny)
    assert "nothing to do" in tiny.sdsk8s("update", "tiny", "--ndeps", "--yes").out
    assert running(tiny) == now


def test_an_override_is_one_layer_over_the_same_base(tiny: System) -> None:
    base = pushed(tiny, "--layer", "base")
    folder = tiny.home / "overrides/de"
    folder.mkdir(parents=True)
    (folder / "words.txt").write_text("guten Tag\n")
    (tiny.home / "overrides/site.cfg").write_text("colour = blue\n")
    (tiny.home / "overrides/plugin.py").write_text("NAME = 'plugin'\n")
    overrides = {
        "config": {"overrides/site.cfg": "/opt/sds/ops/core/site.cfg"},
        "locale": {"overrides/de": "/opt/sds/ops/core/locale/de"},
        "extension": {"overrides/plugin.py": "/opt/sds/ops/core/plugin.py"},
        "env": {"GREETING": 'hello "$HOME" \\ there'},
    }
    (tiny.home / "overrides.yaml").write_text(yaml.safe_dump({"tiny": overrides}))
    first = pushed(tiny)
    assert layers(first["reference"])[:-1] == layers(base["reference"])
    (tiny.home / "overrides/site.cfg").write_text("colour = green\n")
    second = pushed(tiny)
    assert pushed(tiny, "--layer", "base")["digest"] == base["digest"]
    assert second["digest"] != first["digest"]
    assert layers(second["reference"])[:-1] == layers(base["reference"])
    tiny.sds("update", "tiny", "-f")
    script = "cd /opt/sds/ops/core; cat site.cfg locale/de/words.txt plugin.py; printenv GREETING; core-run"
    lines = tiny.kubectl("exec", "deploy/tiny", "--", "sh", "-c", script).out.splitlines()
    assert lines == ["colour = green", "guten Tag", "NAME = 'plugin'", 'hello "$HOME" \\ there', "core ran"]
    # new code under the same overrides, on the same dependencies
    change_code(tiny.tree, "under overrides")
    before = layers(running(tiny))
    tiny.sds("update", "tiny", "-n", "-f")
    after = layers(running(tiny))
    assert len(after) == len(before) and after[:-2] == before[:-2] and after[-2] != before[-2]
    (tiny.home / "overrides.yaml").unlink()


def test_labels_name_the_commit_and_a_dirty_tree_is_no_release(tiny: System) -> None:
    def git(*argv: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        return subprocess.run(
            ["git", "-C", str(tiny.tree / "core"), *who, *argv], check=True, capture_output=True, text=True
        ).stdout.strip()

    version = f"1.{time.time_ns()}"  # a kept lab may have those of an earlier run
    refused = tiny.sdsk8s("images", "push", "tiny", "--release", version, ok=False)
    assert refused.code == 4 and "not in a git repository" in refused.err
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    change_code(tiny.tree, "not committed")
    dirty = pushed(tiny)
    assert labels(tiny, dirty["reference"])["sdsk8s.revision.core"] == git("rev-parse", "HEAD") + "-dirty"
    refused = tiny.sdsk8s("images", "push", "tiny", "--release", version, ok=False)
    assert refused.code == 4 and "uncommitted changes" in refused.err
    change_code(tiny.tree, "and now it is")
    git("commit", "-qam", "two")
    clean = pushed(tiny, "--release", version)
    found = labels(tiny, clean["reference"].rpartition(":")[0] + f":{version}")
    assert found["org.opencontainers.image.revision"] == git("rev-parse", "HEAD")
    assert found["org.opencontainers.image.version"] == clean["reference"].rpartition(":")[2]
    change_code(tiny.tree, "three")
    git("commit", "-qam", "three")
    again = tiny.sdsk8s("images", "push", "tiny", "--release", version, ok=False)
    assert again.code == 4 and "belongs to another image" in again.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--set", "OS_PACKAGE=x"], 'did you mean "OS_PACKAGES"?'),
        (["--set", "tinny:OS_PACKAGES=x"], 'did you mean "tiny"?'),
        (["--release", "latest"], "moves"),
    ],
)
def test_bad_build_options_are_refused_before_anything_is_built(tiny: System, argv: list[str], words: str) -> None:
    logs = list(tiny.home.glob("builds/*"))
    done = tiny.sdsk8s("images", "build", "tiny", *argv, ok=False)
    assert done.code != 0 and words in done.err
    assert list(tiny.home.glob("builds/*")) == logs


def test_a_build_argument_of_the_site_is_part_of_the_tag(tiny: System) -> None:
    before = as_published("images", tiny.sdsk8s("images", "ls", "tiny", "redis", "-o", "json").json)
    settings = tiny.home / "site.yaml"
    text = settings.read_text()
    settings.write_text(text + "build_args: {tiny: {REQUIREMENTS: six}}\n")
    try:
        after = tiny.sdsk8s("images", "ls", "tiny", "redis", "-o", "json").json
    finally:
        settings.write_text(text)
    changed = [a["image"] for a, b in zip(after, before, strict=True) if a["reference"] != b["reference"]]
    assert changed == ["tiny"]


def test_a_reference_to_nothing_is_named_in_the_plan_and_nothing_is_applied(tiny: System) -> None:
    tiny.sdsk8s("start", "tiny", "--yes")
    manifest = tiny.home.parent / "manifests/tiny/tiny.yaml"
    text = manifest.read_text()
    obj = yaml.safe_load(text)
    source = {"secretKeyRef": {"name": "hand-made", "key": "password"}}
    obj["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "PW", "valueFrom": source}]
    manifest.write_text(yaml.safe_dump(obj))
    try:
        before = tiny.get("deployment", "tiny")["metadata"]["generation"]
        dry = tiny.sdsk8s("update", "tiny", "--dry-run")
        assert "it reads Secret/hand-made, which does not exist" in dry.out
        refused = tiny.sdsk8s("update", "tiny", "--yes", ok=False)
        assert refused.code == 4 and "Secret/hand-made" in refused.err
        tiny.kubectl("create", "secret", "generic", "hand-made", "--from-literal", "pasword=x")
        refused = tiny.sdsk8s("update", "tiny", "--yes", ok=False)
        assert refused.code == 4 and "does not have this key" in refused.err
        assert tiny.get("deployment", "tiny")["metadata"]["generation"] == before
        tiny.kubectl("delete", "secret", "hand-made")
        tiny.kubectl("create", "secret", "generic", "hand-made", "--from-literal", "password=x")
        tiny.sdsk8s("update", "tiny", "--yes")
    finally:
        manifest.write_text(text)
