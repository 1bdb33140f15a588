"""Copies: what is refused before anything is written, what is planned, and both ends of the protocol in one process."""

from __future__ import annotations

import hashlib
import io
import json
import marshal
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdsk8s.backends.kubernetes.copy import agent
from sdsk8s.backends.kubernetes.copy import agent_client as far
from sdsk8s.backends.kubernetes.copy.transfer import CopySource, Outcome, Settings
from sdsk8s.errors import RefusedError, SdsError, StepError, UsageError
from sdsk8s.model.copy_target import PodPath, parse_pod_path
from sdsk8s.model.copying import Deletions, Entry, Listing, check_target, chosen, copy_plan, parse_listing
from sdsk8s.model.drift import drifted, mark
from sdsk8s.model.mounts import check_place, place
from sdsk8s.verbs.copy import report
from sdsk8s.verbs.options import Options


def raw(entries: list[tuple[str, str, str]], kind: str = "d", **kw: Any) -> dict[str, Any]:
    """A listing as an agent sends it, of (path, kind, link)."""
    full = [[p, k, 0o644 if k == "f" else 0o755, 4 if k == "f" else 0, 1, link, True] for p, k, link in entries]
    base = {"real": "/t", "kind": kind, "entries": full, "unreadable": [], "denied": "", "free": 10**9, "staged": {}}
    return {**base, **kw}


def listing(*entries: tuple[str, str, str], **kw: Any) -> Listing:
    return parse_listing(raw(list(entries), **kw), "pod p")


HOSTILE = {
    "plain ..": [("..", "d", ""), ("../evil", "f", "")],
    ".. in the middle": [("a", "d", ""), ("a/../../evil", "f", "")],
    "absolute": [("/etc", "d", ""), ("/etc/evil", "f", "")],
    "empty part": [("a", "d", ""), ("a//evil", "f", "")],
    "a file below a link": [("l", "l", "."), ("l/evil", "f", "")],
    "a file below a file": [("l", "f", ""), ("l/evil", "f", "")],
    "a file below nothing": [("l/evil", "f", "")],
    "two of a name": [("a", "d", ""), ("a", "l", "/etc")],
    "nul": [("a\0b", "f", "")],
    "our own staging folder": [(".sds-cp-1", "d", ""), (".sds-cp-1/commit.json", "f", "")],
    "link to /": [("l", "l", "/etc/passwd")],
    "link up": [("l", "l", "../../etc/passwd")],
    "two links that lead out together": [("a", "l", "."), ("b", "l", "a/..")],
    "link nowhere": [("l", "l", "missing")],
    "device": [("d", "o", "")],
    "unknown kind": [("d", "x", "")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_listings_are_refused(name: str) -> None:
    with pytest.raises(RefusedError):
        chosen(listing(*HOSTILE[name]), "pod p", skip_links=False)


@pytest.mark.parametrize("name", [n for n in HOSTILE if "link" not in n or "below" in n])
def test_leaving_links_out_lets_nothing_else_through(name: str) -> None:
    with pytest.raises(RefusedError):
        chosen(listing(*HOSTILE[name]), "pod p", skip_links=True)


def test_links_that_stay_inside_are_kept() -> None:
    found = listing(("d", "d", ""), ("d/f", "f", ""), ("d/l", "l", "f"), ("m", "l", "d/l"), ("d/up", "l", "../d"))
    assert set(chosen(found, "pod p", skip_links=False).entries) == {"d", "d/f", "d/l", "m", "d/up"}


@pytest.mark.parametrize(
    "broken",
    [{}, {"entries": 5}, {"entries": [["a"]]}, {"entries": [["a", "f", 0, -1, 0, "", True]]}, {"free": "much"},
     {"entries": [["a", "f", 0o644, "nan", 0, "", True]]}, {"staged": [1]}],
)  # fmt: skip
def test_what_is_no_listing(broken: dict[str, Any]) -> None:
    data = {**raw([("a", "f", "")]), **broken} if broken else {}
    with pytest.raises(RefusedError, match="is not valid"):
        parse_listing(data, "pod p")


def test_bombs() -> None:
    many = {**raw([]), "entries": [[f"f{i}", "f", 0, 0, 0, "", True] for i in range(500_001)]}
    with pytest.raises(RefusedError, match="is not valid"):
        parse_listing(many, "pod p")
    huge = {**raw([]), "entries": [["f", "f", 0o644, 10**15, 0, "", True]]}
    with pytest.raises(RefusedError, match="more than the limit"):
        chosen(parse_listing(huge, "pod p"), "pod p", skip_links=False)
    small = copy_plan(listing(("f", "f", "")), listing(), set(), "t", Deletions())
    with pytest.raises(RefusedError, match="not enough space"):
        check_target(small, listing(free=3), "t")


def test_plan() -> None:
    source = listing(("a", "d", ""), ("a/new", "f", ""), ("same.py", "f", ""), ("mod.py", "f", ""), ("l", "l", "a"))
    target = listing(
        ("same.py", "f", ""), ("mod.py", "f", ""), ("old", "d", ""), ("old/x", "f", ""), ("l", "l", "old"),
        ("__pycache__", "d", ""), ("__pycache__/mod.cpython-311.pyc", "f", ""), ("__pycache__/same.x.pyc", "f", ""),
    )  # fmt: skip
    plan = copy_plan(source, target, {"same.py"}, "t", Deletions(bytecode=True))
    assert [e.path for e in plan.files] == ["a/new", "mod.py"] and [e.path for e in plan.links] == ["l"]
    assert plan.delete == ("__pycache__/mod.cpython-311.pyc",) and plan.same == 1
    plan = copy_plan(source, target, {"same.py"}, "t", Deletions(True))
    assert set(plan.delete) == {"old", "old/x", "__pycache__", *(p for p in target.entries if p.endswith(".pyc"))}
    within = copy_plan(source, target, set(), "t", Deletions(True, ("old",)))
    assert within.delete == ("old/x",)


def test_a_folder_gives_way_to_a_file_only_when_told() -> None:
    source, target = listing(("a", "f", "")), listing(("a", "d", ""), ("a/b", "f", ""))
    with pytest.raises(RefusedError, match="replaced by a file"):
        copy_plan(source, target, set(), "t", Deletions())
    assert copy_plan(source, target, set(), "t", Deletions(True)).delete == ("a", "a/b")


POD = {
    "metadata": {"name": "p"},
    "spec": {
        "containers": [
            {
                "name": "main",
                "securityContext": {"readOnlyRootFilesystem": True},
                "volumeMounts": [
                    {"name": "data", "mountPath": "/data"},
                    {"name": "etc", "mountPath": "/opt/sds/etc"},
                    {"name": "ops", "mountPath": "/opt/sds/ops"},
                    {"name": "data", "mountPath": "/fixed", "readOnly": True},
                ],
            },
            {"name": "side"},
        ],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "ops", "emptyDir": {}},
            {"name": "etc", "projected": {}},
        ],
    },
    "status": {"containerStatuses": [{"name": "main", "containerID": "c1"}]},
}


@pytest.mark.parametrize(
    "container, path, kind",
    [
        ("main", "/data/x", "volume"), ("main", "/data", "volume"), ("main", "/database", "read-only"),
        ("main", "/data/../etc/x", "read-only"), ("main", "/opt/sds/etc/f", "fixed"), ("main", "/fixed/f", "fixed"),
        ("main", "/opt/sds/ops/hysds", "code"), ("main", "/opt/sds/venv", "read-only"), ("side", "/srv", "image"),
        ("side", "/opt/sds/ops", "code"),
    ],
)  # fmt: skip
def test_places(container: str, path: str, kind: str) -> None:
    found = place(POD, container, path)
    assert found.kind == kind
    for ephemeral in (False, True):
        if kind == "volume" or (ephemeral and kind in ("image", "code")):
            check_place(found, "pod p", ephemeral=ephemeral)
        else:
            with pytest.raises(RefusedError) as err:
                check_place(found, "pod p", ephemeral=ephemeral)
            assert err.value.next and "/opt" not in err.value.words


def test_a_copy_that_would_evict_the_pod_finds_no_room() -> None:
    spec: dict[str, Any] = {
        "containers": [
            {
                "name": "main",
                "resources": {"limits": {"ephemeral-storage": "1.5G"}},
                "volumeMounts": [{"name": n, "mountPath": f"/{n}"} for n in ("small", "free", "shm", "claim")],
            }
        ],
        "volumes": [
            {"name": "small", "emptyDir": {"sizeLimit": "20Mi"}},
            {"name": "free", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}},
            {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
        ],
    }
    limits = [place({"spec": spec}, "main", f"/{n}/x").limit for n in ("small", "free", "shm", "claim")]
    assert limits == [20 << 20, 1_500_000_000, 2 << 30, sys.maxsize]
    spec["containers"].append({"name": "side"})
    assert place({"spec": spec}, "main", "/free").limit == sys.maxsize


def test_drift_ends_with_the_container_unless_it_is_on_a_volume() -> None:
    def marked(value: str, instance: str) -> dict[str, Any]:
        status = {"containerStatuses": [{"name": "main", "containerID": instance}]}
        return {"metadata": {"name": "p", "annotations": {"sdsk8s/drift": value}}, "status": status}

    value = mark(POD, "main", ["/srv/x"], "ops@host", lasting=False)
    assert "/srv/x" in drifted(marked(value, "c1")) and drifted(marked(value, "c2")) == ""
    both = mark(marked(value, "c1"), "main", ["/opt/sds/ops/a"], "ops@host", lasting=True)
    assert "/opt/sds/ops/a" in drifted(marked(both, "c2")) and "/srv/x" not in drifted(marked(both, "c2"))
    assert drifted(marked("no json", "c1")) == "" and drifted(POD) == ""


def test_targets() -> None:
    assert parse_pod_path("mozart:/data/x") == PodPath("mozart", "", "/data/x")
    assert parse_pod_path("mozart/api:/data/") == PodPath("mozart", "api", "/data", True)
    assert parse_pod_path("pod/a-1:/x/../y") == PodPath("", "a-1", "/y")
    assert parse_pod_path("./a:b") is None and parse_pod_path("/a:b") is None and parse_pod_path("plain") is None
    for bad in ("mozart:data", "pod:/x"):
        with pytest.raises(UsageError):
            parse_pod_path(bad)


class Wire:
    """The agent's loop over bytes in memory."""

    def __init__(self) -> None:
        self.sent = b""

    def ask(self, data: bytes = b"", **command: Any) -> None:
        text = marshal.dumps(command, 2)
        self.sent += len(text).to_bytes(4, "big") + text + data

    def run(self) -> io.BytesIO:
        out = io.BytesIO()
        agent.serve(io.BufferedReader(io.BytesIO(self.sent)), out)  # type: ignore[arg-type]
        out.seek(0)
        return out

    @staticmethod
    def answer(out: io.BytesIO) -> Any:
        return json.loads(out.read(int.from_bytes(out.read(4), "big")))


def put(folder: Path, files: dict[str, bytes], **plan: Any) -> Any:
    """Send files by the protocol and switch; the last answer."""
    wire, listed, staged, data = Wire(), [], [], b""
    for n, (name, text) in enumerate(files.items()):
        listed.append([f"{n:064x}", len(text), 0, 0o644, 1, name])
        staged.append([name, f"{n:064x}", 0o644])
        data += text + hashlib.sha256(text).digest()
    wire.ask(do="list", path=str(folder))
    wire.ask(do="open", token="t")
    wire.ask(data, do="put", files=listed, lay=None)
    wire.ask(do="commit", **{"files": staged, "dirs": [], "links": [], "modes": [], "delete": [], **plan})
    out = wire.run()
    for _ in range(3):
        assert "error" not in wire.answer(out)
    return wire.answer(out)


def test_new_swap_and_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    assert put(tree, {"a": b"1", "b": b"2" * 3_000_000}) == {"how": "new"}
    before = tree.stat().st_ino
    assert put(tree, {"a": b"3"}, links=[["l", "a"]], dirs=[["d", 0o750]]) == {"how": "swap"}
    assert (
        (tree / "a").read_bytes() == b"3" and (tree / "l").read_bytes() == b"3" and len((tree / "b").read_bytes()) > 9
    )
    assert tree.stat().st_ino != before and (tree / "d").stat().st_mode & 0o777 == 0o750
    inode = tree.stat().st_ino
    (tree / "d" / "a.pyc").write_bytes(b"of a")
    assert put(tree, {"a": b"5"}, delete=["d/a.pyc"]) == {"how": "file"}  # one rename needs no tree beside
    assert (tree / "a").read_bytes() == b"5" and not list((tree / "d").iterdir()) and tree.stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == ["tree"]
    monkeypatch.chdir(tree)  # a program works in it: the folder itself stays
    assert put(tree, {"a": b"4"}, delete=["b"]) == {"how": "in place"}
    assert (tree / "a").read_bytes() == b"4" and not (tree / "b").exists() and tree.stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == ["tree"]


def test_a_new_tree_is_laid_out_at_once_and_appears_whole(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    old = Path(agent.stage_of(str(tree))) / "next.tree" / "left"
    old.mkdir(parents=True)  # of a try that was cut off
    wire = Wire()
    wire.ask(do="list", path=str(tree))
    wire.ask(do="open", token="t")
    data = b"1" + hashlib.sha256(b"1").digest() + b"2" * 3_000_000 + hashlib.sha256(b"2" * 3_000_000).digest()
    files = [["d/a", 1, 0, 0o640, 1, "d/a"], ["b", 3_000_000, 0, 0o600, 1, "b"]]
    wire.ask(data, do="put", files=files, lay=["", "d"])
    before = len(wire.sent)
    links: dict[str, Any] = {"files": [], "links": [["l", "b"]], "delete": [], "modes": []}
    wire.ask(do="commit", laid=True, dirs=[["", 0o755], ["d", 0o750]], **links)
    whole, wire.sent = wire.sent, wire.sent[:before]
    wire.run()
    assert not tree.exists()  # cut before the switch
    wire.sent = whole
    out = wire.run()
    assert [wire.answer(out) for _ in range(4)][-1] == {"how": "new"}
    assert sorted(os.listdir(tree)) == ["b", "d", "l"] and (tree / "d" / "a").read_bytes() == b"1"
    assert [(tree / n).stat().st_mode & 0o777 for n in ("", "d", "d/a", "l")] == [0o755, 0o750, 0o640, 0o600]
    assert (tree / "b").stat().st_size == 3_000_000 and os.listdir(tmp_path) == ["tree"]


def test_clean_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "kept" / "in").mkdir(parents=True)
    (tmp_path / "gone" / "d").mkdir(parents=True)
    (tmp_path / "gone" / "d" / "f").write_text("1")
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    agent.clean(str(tmp_path / "gone"))
    agent.clean(str(tmp_path / "never"))
    assert os.listdir(tmp_path) == ["kept"] and os.listdir(tmp_path / "kept") == ["in"]


def test_answers_are_json_whatever_names_there_are(tmp_path: Path) -> None:
    for name in ('"quoted"\n', "ü\u2028", os.fsdecode(b"\xff\x80"), "\\"):
        (tmp_path / name).write_bytes(b"1")
    found = agent.listing(str(tmp_path))
    assert json.loads(agent._json(found)) == found and len(found["entries"]) == 4


def test_a_small_source_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"other")
    source = CopySource.of(tmp_path, Settings())
    first = source.digests(["a", "b"])
    (tmp_path / "a").write_bytes(b"after")
    files = list(source.listing.entries.values())
    sent = source.payload(files)
    assert first == [hashlib.sha256(b"first").digest(), hashlib.sha256(b"other").digest()]
    assert sent == b"first" + first[0] + b"other" + first[1]


def test_a_source_that_changes_under_the_copy_fits_no_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    listing = CopySource.of(tmp_path, Settings()).listing

    def changed() -> tuple[Listing, dict[str, str]]:
        (tmp_path / "a").write_bytes(b"123")
        return listing, {"a": str(tmp_path / "a")}

    source = CopySource(changed)
    assert source.digests(["a"]) == [bytes(32)]  # equals nothing
    sent = source.payload(list(source.listing.entries.values()))
    assert sent is not None and len(sent) == 5 + 32 and hashlib.sha256(sent[:5]).digest() != sent[5:]


def test_a_target_that_was_made_anew_in_mid_switch_loses_neither_tree(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    put(tree, {"a": b"old"})
    stage = Path(agent.stage_of(str(tree)))
    stage.mkdir(mode=0o700)
    tree.rename(stage / "old.tree")
    (stage / "next.tree").mkdir()
    (stage / "next.tree" / "a").write_bytes(b"new")
    tree.mkdir()
    wire = Wire()
    wire.ask(do="list", path=str(tree))
    wire.ask(do="open", token="t")
    out = wire.run()
    assert wire.answer(out)["kind"] == "d"
    assert "is in " + str(stage / "old.tree") in wire.answer(out)["error"]
    with pytest.raises(agent.CopyFault, match="was created again"):
        agent.commit(
            str(tree), str(stage), {"files": [["b", "k", 0o644]], "dirs": [], "links": [], "modes": [], "delete": []}
        )
    assert (stage / "old.tree" / "a").read_bytes() == b"old" and (stage / "next.tree" / "a").read_bytes() == b"new"


def test_hashing_ahead_ends_when_the_other_side_says_something(tmp_path: Path) -> None:
    for n in range(100):
        (tmp_path / f"f{n:03}").write_bytes(b"%d" % n)
    (tmp_path / "large").write_bytes(bytes(agent.BLOCK + 1))
    entries = agent.listing(str(tmp_path))["entries"]
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", 0) as other:
        every = agent._hash_ahead(str(tmp_path), entries, source)
        assert every == {n: hashlib.sha256(b"%d" % n).digest() for n in range(100)}
        other.write(b"x")
        assert len(agent._hash_ahead(str(tmp_path), entries, source)) == 32


@pytest.mark.parametrize("same", [True, False])
def test_the_agent_starts_from_its_compiled_form_and_from_its_text(tmp_path: Path, same: bool) -> None:
    (tmp_path / "a").write_bytes(b"1")
    text, code = far._source()
    magic = far.MAGIC_NUMBER.hex() if same else "00000000"
    argv = [sys.executable, "-I", "-S", "-c", far._BOOT, str(len(text)), str(len(code)), magic]
    wire = Wire()
    wire.ask(do="list", path=str(tmp_path))
    # the form that this Python does not take could not be run
    sent = (bytes(len(text)) + code if same else text + bytes(len(code))) + wire.sent
    done = subprocess.run(argv, input=sent, capture_output=True, check=True)
    assert [e[0] for e in Wire.answer(io.BytesIO(done.stdout))["entries"]] == ["a"]


def test_a_wrong_digest_changes_nothing(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    put(tree, {"a": b"old"})
    wire = Wire()
    wire.ask(do="list", path=str(tree))
    wire.ask(do="open", token="t")
    wire.ask(b"new" + bytes(32), do="put", files=[["0" * 64, 3, 0, 0o644, 1, "a"]], lay=None)
    wire.ask(do="commit", files=[["a", "0" * 64, 0o644]], dirs=[], links=[], modes=[], delete=[])
    out = wire.run()
    wire.answer(out), wire.answer(out)
    assert "sha256 differs" in wire.answer(out)["error"] and out.read() == b""
    assert (tree / "a").read_bytes() == b"old"


def test_a_switch_that_was_cut_off_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "tree"
    put(tree, {"a": b"1", "b": b"1", "c": b"1"})
    monkeypatch.chdir(tree)
    renamed, real = [], os.rename

    def failing(src: str, dst: str) -> None:
        if str(dst).endswith("/b"):
            raise KeyboardInterrupt
        renamed.append(dst)
        real(src, dst)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        put(tree, {"a": b"2", "b": b"2", "c": b"2"})
    monkeypatch.setattr(os, "rename", real)
    assert (tree / "a").read_bytes() == b"2" and (tree / "b").read_bytes() == b"1"
    agent.listing(str(tree))
    assert [(tree / n).read_bytes() for n in "abc"] == [b"2", b"2", b"2"]


def test_resume_from_a_part(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    stage = agent.stage_of(str(tmp_path / "f"))
    cut = io.BytesIO(data[:1_500_000])
    with agent.lock(stage, "t"), pytest.raises(EOFError):
        agent.receive(stage, "k", len(data), 0, 0o600, 1, cut.readinto, "f")
    have = agent.listing(str(tmp_path / "f"))["staged"]["k"]
    assert 0 < have <= 1_500_000
    rest = io.BytesIO(data[have:] + hashlib.sha256(data).digest())
    agent.receive(stage, "k", len(data), have, 0o600, 1, rest.readinto, "f")
    agent.commit(
        str(tmp_path / "f"), stage, {"files": [["", "k", 0o600]], "dirs": [], "links": [], "modes": [], "delete": []}
    )
    assert (tmp_path / "f").read_bytes() == data


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    stage = agent.stage_of(str(tmp_path / "f"))
    with agent.lock(stage, "one"), pytest.raises(agent.CopyFault, match="another copy"):
        agent.lock(stage, "two", patience=0.1)


def test_a_file_that_shrinks_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"short")
    got: list[bytes] = []
    agent.send(str(tmp_path / "f"), "", 100, 0, lambda b: got.append(bytes(b)))
    assert sum(map(len, got[:-1])) == 100
    assert got[-1] != hashlib.sha256(b"".join(got[:-1])).digest()


def test_command_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdsk8s.verbs.copy import Request, copy
    from sdsk8s.verbs.options import Options

    for src, dst in (("a", "b"), ("pod/a:/x", "pod/b:/x")):
        with pytest.raises(UsageError, match="one of SRC and DST"):
            copy(Request(src, dst), Options())
    (tmp_path / "config").write_text("")
    with pytest.raises(SdsError):
        copy(Request(str(tmp_path / "missing"), "pod/a:/x"), Options(home=str(tmp_path), kubeconfig="/nowhere"))


def unprivileged(job: Any, *args: Any) -> Any:
    """The job's result in a process of uid 10001; root may do everything, so these rules need another user."""
    if os.geteuid():
        pytest.skip("needs root to become another user")
    with multiprocessing.get_context("fork").Pool(1, os.setuid, (10001,)) as pool:
        return pool.apply(job, args)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that any user may reach and write in."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def change_read_only(tree: Path, mounted: bool) -> tuple[list[Any], list[str], int, list[str]]:
    if mounted:
        agent._mounts = lambda: {str(tree)}
    (tree / "ro").mkdir(parents=True)
    (tree / "ro" / "a").write_bytes(b"1")
    (tree / "ro").chmod(0o555)
    how = [put(tree, {"ro/a": b"%d" % n, "b": b"%d" % n})["how"] for n in range(3)]
    left = [n for n in os.listdir(tree.parent) + os.listdir(tree) if n.startswith(agent.STAGE)]
    return how, [(tree / n).read_text() for n in ("ro/a", "b")], (tree / "ro").stat().st_mode & 0o777, left


@pytest.mark.parametrize("mounted", [False, True])
def test_our_read_only_folders_are_changed_again_and_again(shared: Path, mounted: bool) -> None:
    how, text, mode, left = unprivileged(change_read_only, shared / "tree", mounted)
    assert how == ["in place" if mounted else "swap"] * 3
    assert text == ["2", "2"] and mode == 0o555 and left == []


def change_foreign(tree: Path) -> tuple[str, Any, list[str]]:
    found = parse_listing(agent.listing(str(tree)), "")
    source = Listing(
        "", "d", {p: Entry(p, k, 0o755, 1, 1) for p, k in {"theirs": "d", "theirs/a": "f", "b": "f"}.items()}, {}
    )
    plan = copy_plan(source, found, set(), "", Deletions())
    try:
        check_target(plan, found, "")
        refused = ""
    except RefusedError as err:
        refused = err.words
    return refused, put(tree, {"b": b"2"}, foreign=plan.foreign, dirs=[["d", 0o755]]), os.listdir(tree.parent)


def test_folders_of_others_are_refused_before_and_left_alone(shared: Path) -> None:
    tree = shared / "tree"
    (tree / "theirs").mkdir(parents=True)
    (tree / "theirs" / "a").write_text("1")
    os.chown(tree, 10001, 10001)
    refused, done, beside = unprivileged(change_foreign, tree)
    assert refused == "theirs"
    assert done == {"how": "in place"} and (tree / "b").read_text() == "2" and (tree / "theirs" / "a").exists()
    assert beside == ["tree"]


def denied(tree: Path) -> str:
    return str(agent.listing(str(tree))["denied"])


def test_a_tree_of_others_in_a_folder_of_ours_is_denied(shared: Path) -> None:
    (shared / "tree").mkdir()
    assert "may not write in" in unprivileged(denied, shared / "tree")


def test_a_switch_that_cannot_be_completed_stands_in_nobody_s_way(tmp_path: Path, monkeypatch: Any) -> None:
    tree = tmp_path / "tree"
    put(tree, {"a": b"1", "b": b"1"})
    monkeypatch.setattr(agent, "_mounts", lambda: {str(tree)})
    (tree / "c").mkdir()
    (tree / "c" / "full").touch()
    assert "not empty" in put(tree, {"a": b"2", "b": b"2"}, delete=["c"])["error"]
    assert len(agent.listing(str(tree))["entries"]) == 4
    assert put(tree, {"a": b"3", "b": b"3"}) == {"how": "in place"}
    assert (tree / "b").read_bytes() == b"3" and sorted(os.listdir(tree)) == ["a", "b", "c"]


def test_what_another_copy_replaced_meanwhile_is_compared_again(tmp_path: Path, monkeypatch: Any) -> None:
    tree = tmp_path / "tree"
    put(tree, {"a": b"1", "b": b"1"})
    lock = agent.lock

    def late(stage: str, token: str) -> Any:
        tree.rename(tmp_path / "old")
        tree.mkdir()
        return lock(stage, token)

    monkeypatch.setattr(agent, "lock", late)
    wire = Wire()
    wire.ask(do="list", path=str(tree))
    wire.ask(do="open", token="second")
    wire.ask(do="commit", files=[], dirs=[], links=[], modes=[], delete=["a"])
    out = wire.run()
    wire.answer(out)
    assert wire.answer(out) == {"stale": True} and not out.read()
    assert sorted(os.listdir(tmp_path)) == ["old", "tree"]


def test_the_lock_of_a_copy_that_has_cleaned_up_is_not_the_lock(tmp_path: Path) -> None:
    stage = agent.stage_of(str(tmp_path / "f"))
    first = agent.lock(stage, "one")
    done: list[Any] = []
    second = threading.Thread(target=lambda: done.append(agent.lock(stage, "two")))
    second.start()
    time.sleep(0.3)
    agent.clean(stage)
    first.close()
    second.join()
    with done[0], pytest.raises(agent.CopyFault, match="another copy"):
        agent.lock(stage, "three", patience=0.1)


def test_names_cannot_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in (b"esc\x1b[2J", b"two\n  delete  all", b"latin\xff", "größe".encode()):
        (tree / os.fsdecode(name)).touch()
    source = CopySource.of(tree, Settings()).listing
    plan = copy_plan(source, listing(kind=""), set(), "", Deletions())
    report({"pod": Outcome("pod", "/data", plan)}, Options(), dry_run=True)
    text = capsys.readouterr().out
    assert "größe" in text and len(text.splitlines()) == 1 + 4 + 1
    assert r"esc\x1b[2J" in text and r"two\n  delete  all" in text and r"latin\udcff" in text
    assert SdsError("no", target="a\x1bb", words="c\x1bd\ne").lines() == [
        "error: no",
        r"   where: a\x1bb",
        r"    says: c\x1bd",
        "          e",
    ]


def test_a_pipe_as_the_source_is_called_by_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="pipes are not copied"):
        _ = CopySource.of(tmp_path / "pipe", Settings()).listing


def read_denied(tree: Path) -> list[str]:
    return list(agent.listing(str(tree))["unreadable"])


def test_files_that_may_not_be_read_are_named_before_anything_is_sent(shared: Path) -> None:
    (shared / "theirs").write_text("1")
    (shared / "theirs").chmod(0o600)
    (shared / "ours").touch()
    (shared / "closed").mkdir(mode=0o700)
    assert unprivileged(read_denied, shared) == ["theirs: Permission denied", "closed/: Permission denied"]
    assert unprivileged(read_denied, shared / "theirs") == [f"{shared}/theirs: Permission denied"]


@pytest.mark.parametrize("size", [0, 5, 3_000_000])
def test_a_file_that_is_gone_fits_no_digest(tmp_path: Path, size: int) -> None:
    out = io.BytesIO()
    agent.send(str(tmp_path), "gone", size, 0, out.write)
    data = out.getvalue()
    assert len(data) == size + 32 and data[size:] != hashlib.sha256(data[:size]).digest()


def test_a_file_of_ours_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    source = CopySource.of(tmp_path, Settings())
    entry = source.listing.entries["a"]
    (tmp_path / "a").unlink()
    with pytest.raises(StepError, match="can no longer be read") as err:
        source.send(entry, 0, None, lambda size, name: None)  # type: ignore[arg-type]
    assert err.value.target == str(tmp_path / "a")
