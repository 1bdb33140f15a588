"""Files of a site beside the shipped ones: brought by `configure`, compared and merged by `files diff|upgrade`."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import as_published

from sdsk8s.cli.main import main
from sdsk8s.errors import ConfigError
from sdsk8s.model.component import Component, ConfigFile
from sdsk8s.model.site import Site
from sdsk8s.site.catalogue import load_catalogue
from sdsk8s.site.folder import load_site
from sdsk8s.site.shipped import Record, shipped_files
from sdsk8s.site.templates import load_texts

ROOT = Path(__file__).parent.parent.parent
NAME = "es_template-base.json"
LINES = [f"line {n}\n" for n in range(1, 21)]


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(args))
    return int(end.value.code or 0)


class SiteFolder:
    """A configured site whose catalogue folder `cat` ships NAME; `ship` is the next release of it."""

    def __init__(self, home: Path) -> None:
        self.home, self.file = home, home / "files" / NAME
        self.shipped = home / "cat" / "mozart" / "files" / NAME
        self.shipped.parent.mkdir(parents=True)
        (home / "cat" / "mozart" / "component.yaml").write_text("name: mozart\nextends: true\n")
        (home / "site.yaml").write_text("manifests: [cat]\n")
        self.ship(LINES)
        assert run("configure", "--set", "VENUE=test", "--home", str(home)) == 0

    def ship(self, lines: list[str]) -> None:
        self.shipped.write_text("".join(lines))

    def files(self, *args: str) -> int:
        return run("files", *args, "--home", str(self.home))

    def upgrade(self, *args: str) -> int:
        return self.files("upgrade", "-y", *args)

    def backups(self) -> list[str]:
        return [p.read_text() for p in sorted(self.file.parent.glob(f"{NAME}.*.bak"))]


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return SiteFolder(tmp_path)


def changed(number: int, text: str, lines: list[str] = LINES) -> list[str]:
    return [*lines[: number - 1], text + "\n", *lines[number:]]


def as_json(capsys: pytest.CaptureFixture[str], schema: str) -> Any:
    return as_published(schema, json.loads(capsys.readouterr().out))


# -- configure


def test_a_new_site_has_every_file_that_its_components_need(tmp_path: Path) -> None:
    assert run("configure", "--set", "VENUE=test", "--set", f"OPS_HOME={tmp_path}", "--home", str(tmp_path)) == 0
    site = load_site(tmp_path)
    catalogue = load_catalogue(site.manifests)
    for component in catalogue.ordered():
        for entry in component.config:
            if entry.rule == "user" and not entry.optional:
                assert (tmp_path / "files" / entry.template).is_file(), f"{component.name}: {entry.template}"
    for name, text in {"hysds/configs/celery/celeryconfig.py.tmpl": "", "mozart/settings.cfg.tmpl": ""}.items():
        path = Path(site.source) / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert load_texts(site, [catalogue.components["mozart"]])
    assert not (tmp_path / "files" / "supervisord.job-worker.conf").exists(), "a copy would hide the next version"
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "files").iterdir()}
    assert modes == {0o600} and stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o700


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "config").write_text("VENUE: test\n")
    (tmp_path / "cluster.py").write_text("# ours\n")
    (files / NAME).write_text("ours")
    (files / "datasets.json").symlink_to("/nonexistent")
    assert run("configure", "-f", "--set", "VENUE=other", "--home", str(tmp_path)) == 0
    assert (files / NAME).read_text() == "ours" and (tmp_path / "cluster.py").read_text() == "# ours\n"
    assert os.readlink(files / "datasets.json") == "/nonexistent"
    assert (files / "netrc.mozart").is_file()
    assert Record(tmp_path).base(NAME) is None and Record(tmp_path).base("netrc.mozart") is not None


def test_the_sample_cluster_file_runs(site: SiteFolder) -> None:
    env = {**os.environ, "SDS_HOME": str(site.home), "KUBECONFIG": str(site.home / "none")}
    code = "from legacy_shim.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "fab", "-l"], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert {"versions", "space"} <= listed, done.stdout


def test_the_three_rules_of_the_legacy_tool_and_ours(tmp_path: Path) -> None:
    site = Site(home=str(tmp_path / "sds"), source=str(tmp_path / "ops"))
    user, tree, own = tmp_path / "sds" / "files" / "a", tmp_path / "ops" / "pkg" / "a", tmp_path / "cat" / "a"
    component = Component("x", folders=(str(tmp_path / "cat"),))
    order = {"user": [user], "user-then-source": [user, tree], "source": [tree], "catalogue": [user, own]}
    for path in (user, tree, own):
        path.parent.mkdir(parents=True)
    for rule, looked in order.items():
        entry = ConfigFile("a", "x-config", "a", rule=rule, source="pkg/a")
        for path in (user, tree, own):
            path.write_text(str(path))
        for i, path in enumerate(looked):
            found = load_texts(site, [dataclasses.replace(component, config=(entry,))])
            assert list(found.values()) == [str(path)], rule
            path.unlink()
            if i + 1 == len(looked):
                with pytest.raises(ConfigError) as none:
                    load_texts(site, [dataclasses.replace(component, config=(entry,))])
                assert none.value.target == " or ".join(map(str, looked))


# -- diff


def test_diff_of_a_new_site_is_silent_and_0(site: SiteFolder, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert site.files("diff") == 0
    assert capsys.readouterr().out == ""


def test_diff_is_a_diff_that_patch_reads_and_gives_1(site: SiteFolder, capsys: pytest.CaptureFixture[str]) -> None:
    site.file.write_text("".join(changed(3, "ours")))
    capsys.readouterr()
    assert site.files("diff") == 1
    out = capsys.readouterr().out
    assert "-line 3\n" in out and "+ours\n" in out
    copy = site.home / "copy"
    copy.write_text(site.shipped.read_text())
    subprocess.run(["patch", "-s", str(copy)], input=out, text=True, check=True)
    assert copy.read_text() == site.file.read_text()


def test_diff_as_json_tells_states_own_files_and_those_nobody_reads(
    site: SiteFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    site.file.write_text("".join(changed(3, "ours")))
    (site.file.parent / "netrc.mozart").unlink()
    (site.file.parent / "settings.cfg.tmpl").write_text("x")
    (site.file.parent / "notes").write_text("x")
    capsys.readouterr()
    assert site.files("diff", "-o", "json") == 1
    body = as_json(capsys, "files-diff")
    states = {f["name"]: f["state"] for f in body["files"] if f["state"] != "same"}
    assert states == {NAME: "edited", "netrc.mozart": "missing"}
    assert body["own"] == ["notes"] and body["unread"] == ["settings.cfg.tmpl"]


def test_diff_shows_no_password(site: SiteFolder, capsys: pytest.CaptureFixture[str]) -> None:
    with (site.home / "config").open("a") as config:
        config.write('MY_PASSWORD: "hunter22"\n')
    site.file.write_text("login hunter22\n")
    capsys.readouterr()
    assert site.files("diff") == 1
    out = capsys.readouterr().out
    assert "hunter22" not in out and "+login ***" in out


def test_a_copy_of_the_trees_template_is_compared_with_the_tree(site: SiteFolder, capsys: Any) -> None:
    tree = site.home / "ops" / "hysds/configs/celery/celeryconfig.py.tmpl"
    tree.parent.mkdir(parents=True)
    tree.write_text("new\n")
    (site.home / "site.yaml").write_text(f"manifests: [cat]\nsource: {site.home}/ops\n")
    (site.file.parent / "celeryconfig.py.tmpl").write_text("old\n")
    capsys.readouterr()
    assert site.files("diff", "celeryconfig.py.tmpl") == 1
    assert "-new\n+old\n" in capsys.readouterr().out


# -- upgrade


def test_an_untouched_file_follows_and_the_old_one_is_kept(site: SiteFolder) -> None:
    site.ship(changed(3, "newer"))
    assert site.upgrade() == 0
    assert site.file.read_text() == site.shipped.read_text() and site.backups() == ["".join(LINES)]
    assert site.files("diff") == 0 and site.upgrade() == 0 and len(site.backups()) == 1


def test_changes_of_both_sides_are_merged(site: SiteFolder) -> None:
    mine = "".join(changed(3, "ours"))
    site.file.write_text(mine)
    site.file.chmod(0o640)
    site.ship(changed(17, "newer"))
    assert site.upgrade() == 0
    assert site.file.read_text() == "".join(changed(17, "newer", changed(3, "ours")))
    assert site.backups() == [mine] and stat.S_IMODE(site.file.stat().st_mode) == 0o640
    site.ship(changed(10, "later", changed(17, "newer")))
    assert site.upgrade() == 0, "the base moved along: the second merge sees one change only"
    assert site.file.read_text() == "".join(changed(10, "later", changed(17, "newer", changed(3, "ours"))))


def test_what_changes_while_a_person_is_asked_is_not_written(site: SiteFolder, monkeypatch: Any) -> None:
    site.ship(changed(3, "newer"))

    def edited_meanwhile(*_: Any, **__: Any) -> bool:
        site.file.write_text("of somebody else\n")
        return True

    monkeypatch.setattr("sdsk8s.console.console.Console.need_terminal", lambda *_: None)
    monkeypatch.setattr("click.confirm", edited_meanwhile)
    assert site.files("upgrade") == 4
    assert site.file.read_text() == "of somebody else\n" and site.backups() == []


def test_own_changes_alone_are_left_in_peace(site: SiteFolder) -> None:
    site.file.write_text("".join(changed(3, "ours")))
    assert site.upgrade() == 0
    assert site.file.read_text() == "".join(changed(3, "ours")) and not site.backups()


def test_a_conflict_leaves_the_file_and_is_settled_by_hand(site: SiteFolder, capsys: Any) -> None:
    mine = "".join(changed(3, "ours"))
    site.file.write_text(mine)
    site.ship(changed(3, "newer"))
    beside = site.file.with_name(NAME + ".new")
    assert site.upgrade() == 4
    assert site.file.read_text() == mine and not site.backups()
    marked = beside.read_text()
    assert all(word in marked for word in ("<<<<<<<", "ours\n", "line 3\n", "newer\n", ">>>>>>>"))
    site.file.write_text(marked)
    assert site.upgrade(NAME, "--take", "mine") == 4, "marks are no settlement"
    site.file.write_text(mine)
    beside.write_text("half settled")
    assert site.upgrade("--take", "mine") == 4, "all at once only where no version is recorded"
    assert site.upgrade() == 4 and beside.read_text() == "half settled", "nobody's work is written over"
    capsys.readouterr()
    beside.rename(site.file)
    assert site.upgrade(NAME, "--take", "mine") == 0 and site.upgrade() == 0
    assert site.file.read_text() == "half settled"


def test_a_conflict_beside_a_merge_is_partly_done(site: SiteFolder) -> None:
    site.file.write_text("".join(changed(3, "ours")))
    site.ship(changed(3, "newer"))
    (site.file.parent / "netrc.mozart").unlink()
    assert site.upgrade() == 3
    assert (site.file.parent / "netrc.mozart").exists()


def test_lines_that_merge_into_broken_json_are_a_conflict(site: SiteFolder) -> None:
    gap = "\n" * 6
    site.ship([f"[\n1\n{gap}{gap},2\n]\n"])
    assert site.upgrade(NAME, "--take", "shipped") == 0
    mine = f"[\n{gap}{gap}2\n]\n"
    site.file.write_text(mine)
    site.ship([f"[\n1\n{gap},9\n{gap},2\n]\n"])
    assert site.upgrade() == 4
    assert site.file.read_text() == mine
    assert "<<<" not in site.file.with_name(NAME + ".new").read_text(), "the lines alone had merged"


def test_without_a_base_nothing_is_guessed(site: SiteFolder, tmp_path: Path, capsys: Any) -> None:
    (site.home / "shipped" / "index.json").unlink()
    mine = "".join(changed(3, "ours"))
    site.file.write_text(mine)
    site.ship(changed(17, "newer"))
    capsys.readouterr()
    assert site.upgrade() == 4
    said = capsys.readouterr()
    assert "--take mine" in said.out and site.file.read_text() == mine
    old = tmp_path / "old"
    old.mkdir()
    (old / NAME).write_text("".join(LINES))
    assert site.upgrade("--base", str(old)) == 0
    assert site.file.read_text() == "".join(changed(17, "newer", changed(3, "ours")))


def test_a_damaged_base_is_no_base(site: SiteFolder) -> None:
    for path in (site.home / "shipped").iterdir():
        if len(path.name) == 64:
            path.write_bytes(b"x")
    site.file.write_text("".join(changed(3, "ours")))
    site.ship(changed(17, "newer"))
    assert site.upgrade() == 4 and site.file.read_text() == "".join(changed(3, "ours"))


@pytest.mark.parametrize(("take", "text"), [("mine", "ours\n"), ("shipped", "".join(LINES))])
def test_two_ways(site: SiteFolder, take: str, text: str) -> None:
    (site.home / "shipped" / "index.json").unlink()
    site.file.write_text("ours\n")
    assert site.upgrade(NAME, "--take", take) == 0
    assert site.file.read_text() == text and site.backups() == (["ours\n"] if take == "shipped" else [])
    assert site.upgrade() == 0, "it is settled"


def test_a_site_of_the_legacy_tool_keeps_its_files_at_one_word(site: SiteFolder) -> None:
    (site.home / "shipped" / "index.json").unlink()
    for name in (NAME, "datasets.json"):
        (site.file.parent / name).write_text("ours\n")
    assert site.upgrade() == 4 and site.upgrade("--take", "mine") == 0
    assert site.file.read_text() == "ours\n" and site.upgrade() == 0
    site.ship(changed(3, "newer"))
    assert site.upgrade() == 4, "from now on it is a conflict, and no guess"


def test_a_template_is_copied_for_editing_and_followed_from_then_on(site: SiteFolder) -> None:
    name = "supervisord.events.conf"
    assert site.upgrade(name, "--take", "shipped") == 0
    assert (site.file.parent / name).read_bytes() == (ROOT / "manifests" / "mozart" / name).read_bytes()
    assert Record(site.home).base(name) is not None and site.files("diff") == 0


def test_a_file_that_replaces_several_shipped_ones_is_left_to_a_person(site: SiteFolder) -> None:
    name = "supervisord.job-worker.conf"
    shipped = {s.name: s for s in shipped_files(load_site(site.home), load_catalogue(()))}
    assert len(shipped[name].texts()) == 2, "factotum and verdi have each their own"
    (site.file.parent / name).write_text("ours")
    assert site.upgrade() == 4 and site.upgrade(name, "--take", "shipped") == 4
    assert (site.file.parent / name).read_text() == "ours"
    assert site.upgrade(name, "--take", "mine") == 0 and site.upgrade() == 0


def test_dry_run_writes_nothing(site: SiteFolder, capsys: Any) -> None:
    site.ship(changed(3, "newer"))
    before = {p: p.read_bytes() for p in site.home.rglob("*") if p.is_file()}
    capsys.readouterr()
    assert site.upgrade("--dry-run", "-o", "json") == 0
    body = as_json(capsys, "files-upgrade")
    assert [f["action"] for f in body["files"] if f["name"] == NAME] == ["replace"] and body["done"] == []
    assert {p: p.read_bytes() for p in site.home.rglob("*") if p.is_file()} == before


def test_a_link_stays_a_link(site: SiteFolder, tmp_path: Path) -> None:
    real = tmp_path / "in-git"
    site.file.rename(real)
    site.file.symlink_to(real)
    site.ship(changed(3, "newer"))
    assert site.upgrade() == 0
    assert site.file.is_symlink() and real.read_text() == site.shipped.read_text()


def test_two_at_once_and_wrong_words_are_refused(site: SiteFolder, capsys: Any) -> None:
    site.ship(changed(3, "newer"))
    with (site.home / "shipped" / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert site.upgrade() == 4
    assert site.file.read_text() == "".join(LINES)
    assert site.upgrade("--take", "shipped") == 2 and site.upgrade("es_template.json") == 2
    assert NAME in capsys.readouterr().err
    assert site.files("upgrade") == 4, "no terminal to ask"
    assert site.file.read_text() == "".join(LINES)
