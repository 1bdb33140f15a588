"""Copies: what is refused before anything is written, what is planned, and both ends of the protocol in one process."""

from __future__ import annotations

import hashlib
import io
import json
import marshal
import os
from pathlib import Path
from typing import Any

import pytest

from sdsk8s.backends.copy import agent
from sdsk8s.backends.copy.transfer import Settings, Source
from sdsk8s.errors import RefusedError, SdsError, UsageError
from sdsk8s.model.copy_target import Remote, parse_remote
from sdsk8s.model.copying import Listing, check_target, chosen, copy_plan, parse_listing
from sdsk8s.model.drift import drifted, mark
from sdsk8s.model.mounts import check_place, place


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
    with pytest.raises(RefusedError, match="not to be trusted"):
        parse_listing(data, "pod p")


def test_bombs() -> None:
    many = {**raw([]), "entries": [[f"f{i}", "f", 0, 0, 0, "", True] for i in range(500_001)]}
    with pytest.raises(RefusedError, match="not to be trusted"):
        parse_listing(many, "pod p")
    huge = {**raw([]), "entries": [["f", "f", 0o644, 10**15, 0, "", True]]}
    with pytest.raises(RefusedError, match="more than the limit"):
        chosen(parse_listing(huge, "pod p"), "pod p", skip_links=False)
    small = copy_plan(listing(("f", "f", "")), listing(), set(), "t", delete=False)
    with pytest.raises(RefusedError, match="not enough room"):
        check_target(small, listing(free=3), "t")


def test_plan() -> None:
    source = listing(("a", "d", ""), ("a/new", "f", ""), ("same.py", "f", ""), ("mod.py", "f", ""), ("l", "l", "a"))
    target = listing(
        ("same.py", "f", ""), ("mod.py", "f", ""), ("old", "d", ""), ("old/x", "f", ""), ("l", "l", "old"),
        ("__pycache__", "d", ""), ("__pycache__/mod.cpython-311.pyc", "f", ""), ("__pycache__/same.x.pyc", "f", ""),
    )  # fmt: skip
    plan = copy_plan(source, target, {"same.py"}, "t", delete=False, bytecode=True)
    assert [e.path for e in plan.files] == ["a/new", "mod.py"] and [e.path for e in plan.links] == ["l"]
    assert plan.delete == ("__pycache__/mod.cpython-311.pyc",) and plan.same == 1
    plan = copy_plan(source, target, {"same.py"}, "t", delete=True)
    assert set(plan.delete) == {"old", "old/x", "__pycache__", *(p for p in target.entries if p.endswith(".pyc"))}
    within = copy_plan(source, target, set(), "t", delete=True, within=["old"])
    assert within.delete == ("old/x",)


def test_a_folder_gives_way_to_a_file_only_when_told() -> None:
    source, target = listing(("a", "f", "")), listing(("a", "d", ""), ("a/b", "f", ""))
    with pytest.raises(RefusedError, match="give way"):
        copy_plan(source, target, set(), "t", delete=False)
    assert copy_plan(source, target, set(), "t", delete=True).delete == ("a", "a/b")


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
    assert parse_remote("mozart:/data/x") == Remote("mozart", "", "/data/x")
    assert parse_remote("mozart/api:/data/") == Remote("mozart", "api", "/data", True)
    assert parse_remote("pod/a-1:/x/../y") == Remote("", "a-1", "/y")
    assert parse_remote("./a:b") is None and parse_remote("/a:b") is None and parse_remote("plain") is None
    for bad in ("mozart:data", "pod:/x"):
        with pytest.raises(UsageError):
            parse_remote(bad)


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
    source = Source.of(tmp_path, Settings())
    first = source.digests(["a", "b"])
    (tmp_path / "a").write_bytes(b"after")
    files = list(source.listing.entries.values())
    sent = source.payload(files)
    assert first == [hashlib.sha256(b"first").digest(), hashlib.sha256(b"other").digest()]
    assert sent == b"first" + first[0] + b"other" + first[1]


def test_a_source_that_changes_under_the_copy_fits_no_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    source = Source.of(tmp_path, Settings())
    (tmp_path / "a").write_bytes(b"123")
    assert source.digests(["a"]) == [bytes(32)]  # equals nothing
    sent = source.payload(list(source.listing.entries.values()))
    assert sent is not None and len(sent) == 5 + 32 and hashlib.sha256(sent[:5]).digest() != sent[5:]


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
    from sdsk8s.cli.copying import Request, copy
    from sdsk8s.cli.options import Options

    for src, dst in (("a", "b"), ("pod/a:/x", "pod/b:/x")):
        with pytest.raises(UsageError, match="one of SRC and DST"):
            copy(Request(src, dst), Options())
    (tmp_path / "config").write_text("")
    with pytest.raises(SdsError):
        copy(Request(str(tmp_path / "missing"), "pod/a:/x"), Options(home=str(tmp_path), kubeconfig="/nowhere"))
