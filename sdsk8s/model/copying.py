"""What a copy does: two listings in, a plan out. Pure; a listing that comes from a pod is checked, never trusted."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdsk8s.errors import RefusedError, StepError

MAX_ENTRIES = 500_000
MAX_BYTES = 64 * 1024**3
STAGE = ".sds-cp-"


@dataclass(frozen=True, slots=True)
class Entry:
    """kind: f, d, l or o (a device, socket or pipe). size in bytes, mtime in ns; link: where a symbolic link leads."""

    path: str
    kind: str
    mode: int
    size: int
    mtime: int
    link: str = ""
    writable: bool = True

    @property
    def key(self) -> str:
        """Name in the staging folder: another size or time of the source is another file."""
        return hashlib.sha256(f"{self.path}\0{self.size}\0{self.mtime}".encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class Listing:
    """One side: the real path, its kind ("" when absent), entries (of a file one with the path "")."""

    real: str
    kind: str
    entries: Mapping[str, Entry]
    index: Mapping[str, int]
    denied: str = ""
    free: int = 0
    staged: Mapping[str, int] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class CopyPlan:
    """files, links, dirs to make; delete: paths, a folder before what is in it; modes: entries of another mode.

    foreign: the target has folders in which we may not write, or files that we may not read.
    """

    files: tuple[Entry, ...] = ()
    links: tuple[Entry, ...] = ()
    dirs: tuple[Entry, ...] = ()
    modes: tuple[Entry, ...] = ()
    delete: tuple[str, ...] = ()
    same: int = 0
    total: int = 0
    foreign: bool = False

    @property
    def empty(self) -> bool:
        return not (self.files or self.links or self.dirs or self.modes or self.delete)

    @property
    def size(self) -> int:
        return sum(e.size for e in self.files)

    def as_commit(self, *, laid: bool = False) -> dict[str, Any]:
        return {
            "do": "commit",
            "laid": laid,
            "foreign": self.foreign,
            "files": [] if laid else [[e.path, e.key, e.mode] for e in self.files],
            "dirs": [[e.path, e.mode] for e in self.dirs],
            "links": [[e.path, e.link] for e in self.links],
            "modes": [[e.path, e.mode] for e in self.modes],
            "delete": list(self.delete),
        }


def parse_listing(data: Any, where: str) -> Listing:
    """A listing as the agent sends it. RefusedError for anything that no honest listing contains."""
    try:
        raw = data["entries"]
        if len(raw) > MAX_ENTRIES:
            raise _hostile(f"{len(raw)} entries, more than {MAX_ENTRIES}", where)
        listed = [Entry(str(p), str(k), int(m), int(s), int(t), str(li), bool(w)) for p, k, m, s, t, li, w in raw]
        staged = {str(k): int(v) for k, v in dict(data["staged"]).items()}
        kind, real = str(data["kind"]), str(data["real"])
        unreadable = tuple(str(u) for u in data["unreadable"])
        found = Listing(
            real, kind, {e.path: e for e in listed}, {e.path: i for i, e in enumerate(listed)},
            str(data["denied"]), int(data["free"]), staged, unreadable,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise _hostile(f"it is not a listing: {err}", where) from None
    if len(found.entries) != len(listed):
        raise _hostile("a name is listed twice", where)
    if any(e.size < 0 or not 0 <= e.mode <= 0o7777 or e.kind not in ("f", "d", "l", "o") for e in listed):
        raise _hostile("an entry has an impossible size, mode or kind", where)
    return found


def check_names(listing: Listing, where: str) -> None:
    """Every name is a plain relative path below real folders of the same listing."""
    if listing.kind == "f":
        if list(listing.entries) != [""] or listing.entries[""].kind != "f":
            raise _hostile("a single file with other names beside it", where)
        return
    for path in listing.entries:
        parts = path.split("/")
        if any(p in ("", ".", "..") for p in parts) or "\0" in path or parts[0].startswith(STAGE):
            raise _hostile(f"the name {path!r} leads out of the tree", where)
        above = posixpath.dirname(path)
        if above and (above not in listing.entries or listing.entries[above].kind != "d"):
            raise _hostile(f"{path!r} lies below {above!r}, which is not a directory", where)


def stray_links(listing: Listing) -> list[str]:
    """Links that lead out of the tree or nowhere; a link through a link counts as such."""
    out = []
    for e in listing.entries.values():
        if e.kind == "l" and not _inside(e, listing.entries):
            out.append(e.path)
    return out


def _inside(link: Entry, entries: Mapping[str, Entry]) -> bool:
    if not link.link or link.link.startswith("/") or "\0" in link.link:
        return False
    here = link.path.split("/")[:-1]
    parts = [p for p in link.link.split("/") if p not in ("", ".")]
    for n, part in enumerate(parts):
        if part == "..":
            if not here:
                return False
            here.pop()
            continue
        here.append(part)
        found = entries.get("/".join(here))
        if found is None or (found.kind != "d" and n < len(parts) - 1) or found.kind == "o":
            return False
    return True


def chosen(source: Listing, where: str, *, skip_links: bool, limit: int = MAX_BYTES) -> Listing:
    """The source without what cannot be copied. RefusedError for devices, stray links and a source beyond the limit."""
    if not source.kind:
        raise StepError("no such file or directory", target=where)
    if source.kind != "o":
        check_names(source, where)
    if source.unreadable:
        raise RefusedError(
            "some files cannot be read", target=where, words="\n".join(source.unreadable[:5]),
            next="copy as a user who may read them, or copy only a part",
        )  # fmt: skip
    odd = [e.path or source.real for e in source.entries.values() if e.kind == "o"]
    if odd or source.kind == "o":
        raise RefusedError("devices, sockets and pipes are not copied", target=where, words="\n".join(odd[:5]))
    stray = stray_links(source)
    if stray and not skip_links:
        raise RefusedError(
            f"{len(stray)} links lead out of the tree, or nowhere",
            target=where,
            words="\n".join(f"{p} -> {source.entries[p].link}" for p in stray[:5]),
            next="use --skip-links to leave them out",
        )
    total = sum(e.size for e in source.entries.values())
    if total > limit:
        raise RefusedError(
            f"{total} bytes are more than the limit of {limit}", target=where, next="use --max-bytes to raise the limit"
        )
    kept = {p: e for p, e in source.entries.items() if p not in set(stray)}
    return Listing(source.real, source.kind, kept, source.index)


def candidates(source: Listing, target: Listing) -> list[str]:
    """Files of equal size on both sides: only their content tells whether they differ."""
    if source.kind != target.kind:
        return []
    there = target.entries
    return [
        p for p, e in source.entries.items()
        if e.kind == "f" and p in there and there[p].kind == "f" and there[p].size == e.size
    ]  # fmt: skip


@dataclass(frozen=True)
class Deletions:
    """What a copy deletes in the target.

    extra     paths that the source does not have
    within    top directories that `extra` is limited to; none: the whole tree
    keep      paths that are kept whatever the source has
    bytecode  compiled forms of replaced Python sources, too: those in our images are never compared with their source
    """

    extra: bool = False
    within: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    bytecode: bool = False


def copy_plan(source: Listing, target: Listing, equal: set[str], where: str, deletions: Deletions) -> CopyPlan:
    """equal: paths with the same sha256 on both sides. where: the target, for errors."""
    if target.kind and source.kind != target.kind:
        words = {"f": "a file", "d": "a directory", "o": "a device"}
        raise RefusedError(
            f"the target is {words[target.kind]}, the source {words[source.kind]}",
            target=where,
            next="end DST with / to copy into that directory" if target.kind == "d" else "remove the target first",
        )
    files, links, dirs, modes, gone, same = [], [], [], [], [], 0
    if source.kind == "d" and not target.kind:
        dirs.append(Entry("", "d", 0o755, 0, 0))
    for path, e in source.entries.items():
        old = target.entries.get(path)
        if old is not None and old.kind != e.kind:
            gone.append(path)
            old = None
        if e.kind == "d" and old is None:
            dirs.append(e)
        elif e.kind == "l" and (old is None or old.link != e.link):
            links.append(e)
        elif e.kind == "f" and path not in equal:
            files.append(e)
        elif old is not None and _other_mode(e, old):
            modes.append(e)
        else:
            same += e.kind == "f"
    if deletions.extra:
        tops, kept = set(deletions.within), set(deletions.keep)

        def ours(path: str) -> bool:
            compiled = deletions.bytecode and "__pycache__" in path.split("/")
            return path not in kept and not compiled and (not tops or (path.split("/")[0] in tops and "/" in path))

        gone += [p for p in target.entries if p not in source.entries and ours(p)]
    else:
        clash = {p for p in gone if target.entries[p].kind == "d"}
        if clash:
            raise RefusedError(
                "a directory in the target would be replaced by a file",
                target=where,
                words=", ".join(sorted(clash)[:5]),
                next="use --delete to allow it",
            )
    if deletions.bytecode:
        gone += _stale(files, target)
    below = {p for g in gone if target.entries[g].kind == "d" for p in target.entries if p.startswith(g + "/")}
    return CopyPlan(
        tuple(files), tuple(links), tuple(dirs), tuple(modes), tuple(sorted({*gone, *below})), same,
        sum(e.kind == "f" for e in source.entries.values()),
        bool(target.unreadable) or any(e.kind == "d" and not e.writable for e in target.entries.values()),
    )  # fmt: skip


def _other_mode(e: Entry, old: Entry) -> bool:
    """A folder's set-gid bit comes from the folder above it (a volume with fsGroup) and does not count."""
    counts = {"d": 0o1777, "f": 0o7777}.get(e.kind, 0)
    return bool((e.mode ^ old.mode) & counts)


def _stale(files: Iterable[Entry], target: Listing) -> list[str]:
    sources = {e.path.removesuffix(".py") for e in files if e.path.endswith(".py")}
    out = []
    for path in target.entries if sources else ():
        folder, _, name = path.rpartition("/")
        if name.endswith(".pyc") and folder.rpartition("/")[2] == "__pycache__":
            above = folder.rpartition("/")[0]
            if (f"{above}/" if above else "") + name.split(".")[0] in sources:
                out.append(path)
    return out


def check_target(plan: CopyPlan, target: Listing, where: str) -> None:
    """RefusedError before anything is sent: not writable, read-only, or not enough room."""
    if plan.empty:
        return
    if target.denied:
        raise RefusedError(
            "the target is not writable", target=where, words=target.denied,
            next="copy below a writable volume of the pod",
        )  # fmt: skip
    changed = {posixpath.dirname(p) for p in (*plan.delete, *(e.path for e in (*plan.files, *plan.links, *plan.dirs)))}
    closed = sorted(p for p in changed if p in target.entries and not target.entries[p].writable)
    if closed:
        raise RefusedError(
            "some directories of the target belong to another user and are not writable",
            target=where, words="\n".join(closed[:5]), next="copy only a part, or copy as a user who may write there",
        )  # fmt: skip
    if plan.size > target.free:
        raise RefusedError(
            f"not enough space: {plan.size} bytes to copy, {target.free} free or allowed by the volume's sizeLimit",
            target=where,
            next="free some space, or copy less",
        )


def _hostile(words: str, where: str) -> RefusedError:
    return RefusedError("the data from the pod is not valid; nothing was written", target=where, words=words)
