"""Both ends of a copy: lists, hashes, sends, stages and switches files of the machine that it runs on.

Its text is sent into the pod and run there by `python3 -c`, so it needs nothing but the standard library of CPython
3.7; on the operator's side the same functions are imported. It starts for every copy, so it imports little: `json`,
`signal` and `typing` would take longer than the rest of the start. What it is told has a length (4 bytes, big endian)
and is marshalled, what it answers has a length and is JSON, which is safe to read whoever wrote it; contents follow as
plain bytes of announced length, each file's sha256 behind it.
"""

from __future__ import annotations

import errno
import hashlib
import marshal
import os
import stat
import time

try:
    import _signal  # type: ignore[import-not-found]
    from _json import encode_basestring_ascii as _quote
except ImportError:  # another Python than CPython
    import signal as _signal
    from json.encoder import py_encode_basestring_ascii as _quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    Entry = Any  # a list: [path, kind (f d l o), mode, size, mtime in ns, target of a link, writable]

BLOCK = 1 << 17
PIECE = 1 << 18
SMALL = 1 << 20
STAGE = ".sds-cp-"
IDLE = 300
_BEAT = 1 << 28
_DIFFERS = ": sha256 differs, it changed while it was copied"
_in_pod = False


class CopyFault(Exception):
    """What failed, in words for the operator."""


# -- reading -------------------------------------------------------------------------------------------------------


def listing(path: str) -> dict[str, Any]:
    """Kind ("" when absent), real path and entries of a file or tree; what may be written; what is staged already."""
    real = os.path.realpath(path)
    stage = stage_of(real)
    _complete(real, stage)
    kind = _kind(real)
    entries: list[Entry] = []
    unreadable: list[str] = []
    if kind == "d":
        _walk(real, entries, unreadable)
    elif kind:
        entries.append(_entry("", os.stat(real)))
        if kind == "f" and not os.access(real, os.R_OK):
            unreadable.append(real + ": Permission denied")
    base = os.path.dirname(stage)
    space = os.statvfs(base)
    return {
        "real": real,
        "kind": kind,
        "entries": entries,
        "unreadable": unreadable,
        "denied": _denied(real, base, space),
        "free": space.f_bavail * space.f_frsize,
        "staged": _staged(stage),
        "uid": os.getuid(),
    }


def _walk(root: str, entries: list[Entry], unreadable: list[str]) -> None:
    todo = [""]
    while todo:
        prefix = todo.pop()
        try:
            found = sorted(os.scandir(os.path.join(root, prefix)), key=lambda e: e.name)
        except OSError as err:
            unreadable.append((prefix or ".") + ": " + str(err.strerror))
            continue
        for item in found:
            name = prefix + item.name
            if item.name.startswith(STAGE):
                continue
            st = item.stat(follow_symlinks=False)
            entry = _entry(name, st)
            if entry[1] == "l":
                entry[5] = os.readlink(item.path)
            elif entry[1] == "d":
                entry[6] = os.access(item.path, os.W_OK | os.X_OK) or st.st_uid == os.getuid()
                todo.append(name + "/")
            elif st.st_mode & 0o444 != 0o444 and not os.access(item.path, os.R_OK):
                unreadable.append(name + ": Permission denied")
            entries.append(entry)


def _entry(name: str, st: os.stat_result) -> Entry:
    mode = st.st_mode
    kind = "f" if stat.S_ISREG(mode) else "d" if stat.S_ISDIR(mode) else "l" if stat.S_ISLNK(mode) else "o"
    return [name, kind, stat.S_IMODE(mode), st.st_size if kind == "f" else 0, st.st_mtime_ns, "", True]


def _kind(path: str) -> str:
    try:
        return str(_entry("", os.stat(path))[1])
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        raise CopyFault(path + ": a file is in the place of a directory") from None


def _inode(path: str) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def _open(root: str, name: str) -> BinaryIO:
    path = os.path.join(root, name) if name else root
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0)


def digest(root: str, name: str, size: int = SMALL, beat: Callable[[], None] | None = None) -> bytes:
    """sha256 of one file; 32 zero bytes when it cannot be read, which equals nothing. size: what it is thought to have.

    A large buffer costs more than a small file's hash, so the buffer is at most the file's size.
    """
    size = min(size + 1, SMALL)
    try:
        # Plain descriptors: for thousands of small files the objects around them cost more than the hashing.
        fd = os.open(root + "/" + name if name else root, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            sha, done = hashlib.sha256(), 0
            while True:
                block = os.read(fd, size)
                sha.update(block)
                if len(block) < size:  # of a regular file: its end
                    return sha.digest()
                done += len(block)
                if beat and done % _BEAT < SMALL:
                    beat()
        finally:
            os.close(fd)
    except OSError:
        return bytes(32)


def send(root: str, name: str, size: int, offset: int, write: Callable[[Any], Any]) -> None:
    """Bytes offset..size of a file, then the sha256 of all of it.

    What is missing at its end comes as zeros, and then, or when the file has gone, a sum that fits nothing.
    """
    sha = hashlib.sha256()
    buffer = memoryview(bytearray(min(size, BLOCK)))
    at = 0
    try:
        with _open(root, name) as file:
            while at < size:
                got = file.readinto(buffer[: (offset if at < offset else size) - at])  # type: ignore[attr-defined]
                if not got:
                    break
                sha.update(buffer[:got])
                if at >= offset:
                    write(buffer[:got])
                at += got
    except OSError:
        sha.update(b"gone before it was read")
    if at < size:
        sha.update(b"cut short while it was read")
        left = size - max(at, offset)
        while left:
            write(bytes(min(left, BLOCK)))
            left -= min(left, BLOCK)
    write(sha.digest())


# -- staging -------------------------------------------------------------------------------------------------------


def stage_of(real: str) -> str:
    """Folder beside the target, in the same file system, where everything is put before the switch."""
    parent = os.path.dirname(real)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    inside = os.path.isdir(real) and (real in _mounts() or not os.access(parent, os.W_OK | os.X_OK))
    name = STAGE + hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    return os.path.join(real if inside else parent, name)


def _mounts() -> set[str]:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return {line.split()[4].replace("\\040", " ") for line in file}
    except OSError:
        return {"/"}


def _denied(real: str, base: str, space: os.statvfs_result) -> str:
    if space.f_flag & os.ST_RDONLY:
        return base + " is on a read-only file system"
    for path in (base, real):
        if os.path.isdir(path) and not os.access(path, os.W_OK | os.X_OK):
            st = os.stat(path)
            if path == base or st.st_uid != os.getuid():
                owner = f"owner {st.st_uid}:{st.st_gid}, mode {stat.S_IMODE(st.st_mode):o}"
                return f"uid {os.getuid()} may not write in {path} ({owner})"
    return ""


def _staged(stage: str) -> dict[str, int]:
    """{key: size} of what an earlier try has staged; -1 for a file that is whole and was checked."""
    try:
        found = list(os.scandir(stage))
    except OSError:
        return {}
    out = {}
    for item in found:
        if item.name.endswith(".part"):
            out[item.name[:-5]] = item.stat(follow_symlinks=False).st_size
        elif "." not in item.name:
            out[item.name] = -1
    return out


def lock(stage: str, token: str, patience: float = 8.0) -> Any:
    """Make a staging folder and lock it. A run of the same token that lost its connection is ended."""
    import fcntl

    end = time.monotonic() + patience
    file = _lock_file(stage)
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            words = file.read().split()
            if len(words) == 2 and words[0] == token and int(words[1]) != os.getpid():
                _try(os.kill, int(words[1]), 9)  # it may have just ended
            if time.monotonic() > end:
                file.close()
                raise CopyFault("another copy to the same place is running (a lost one ends in 5 minutes)") from None
            time.sleep(0.2)
            continue
        if _is_file(file, stage):
            break
        file.close()  # who held it has cleaned up
        file = _lock_file(stage)
    file.truncate(0)
    file.write(token + " " + str(os.getpid()))
    file.flush()
    return file


def _lock_file(stage: str) -> Any:
    os.makedirs(stage, mode=0o700, exist_ok=True)
    if os.path.islink(stage) or os.stat(stage).st_uid != os.getuid():
        raise CopyFault(stage + " belongs to another user")
    return open(os.path.join(stage, "lock.run"), "a+")


def _is_file(file: Any, stage: str) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(os.path.join(stage, "lock.run")))
    except FileNotFoundError:
        return False


def _try(call: Callable[..., Any], *args: Any) -> None:
    try:
        call(*args)
    except OSError:
        return


def receive(
    stage: str, key: str, size: int, offset: int, mode: int, mtime: int, fill: Callable[[Any], int], name: str
) -> bytes:
    """Stage one file from the stream: its bytes from offset on, then its sha256. CopyFault when they do not fit.

    fill: reads into the whole of a buffer; into less of it only at the end of the stream.
    """
    path = os.path.join(stage, key)
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    if size <= SMALL and not offset:
        view = _take(fill, memoryview(bytearray(size + 32)))
        want = hashlib.sha256(view[:size]).digest()
        if view[size:] != want:
            raise CopyFault(name + _DIFFERS)
        fd = os.open(path, flags | os.O_TRUNC, 0o600)
        try:
            _write(fd, view[:size])
            os.fchmod(fd, mode)
            os.utime(fd, ns=(mtime, mtime))
        finally:
            os.close(fd)
        return want
    buffer = memoryview(bytearray(PIECE))
    sha = hashlib.sha256()
    part = path + ".part"
    _hash_part(part, offset, sha, buffer, name)
    fd = os.open(part, flags | (0 if offset else os.O_TRUNC), 0o600)
    try:
        os.ftruncate(fd, offset)
        os.lseek(fd, offset, os.SEEK_SET)
        while offset < size:
            _patience(IDLE)
            view = buffer[: size - offset]
            got = fill(view)
            sha.update(view[:got])
            _write(fd, view[:got])
            if got < len(view):
                raise EOFError
            offset += got
        want = sha.digest()
        if _take(fill, buffer[:32]) != want:
            os.unlink(part)
            raise CopyFault(name + _DIFFERS)
        os.fchmod(fd, mode)
        os.utime(fd, ns=(mtime, mtime))
    finally:
        os.close(fd)
    os.rename(part, path)
    return want


def _hash_part(part: str, size: int, sha: Any, buffer: memoryview, name: str) -> None:
    """Take the first `size` bytes of what an earlier try has staged into the sum."""
    if not size:
        return
    with open(part, "rb", buffering=0) as old:
        while size:
            got = old.readinto(buffer[:size])
            if not got:
                raise CopyFault(name + ": the staged part is shorter than it was")
            sha.update(buffer[:got])
            size -= got


def _take(fill: Callable[[Any], int], view: memoryview) -> memoryview:
    _patience(IDLE)
    if fill(view) < len(view):
        raise EOFError
    return view


def _write(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


# -- the switch ----------------------------------------------------------------------------------------------------


def commit(real: str, stage: str, plan: dict[str, Any]) -> str:
    """Put what is staged in place, all of it or nothing. Returns how: file (one rename), new, swap or in place.

    plan: dirs [[path, mode]], files [[path, key, mode]], links [[path, target]], delete [path], modes [[path, mode]];
    laid: the files lie in next.tree already; foreign: folders of others are in the tree, which we could not remove.
    """
    _check_whole(real, stage)
    kind = _kind(real)
    if [f[0] for f in plan["files"]] == [""]:
        os.makedirs(os.path.dirname(real), exist_ok=True)
        os.rename(os.path.join(stage, plan["files"][0][1]), real)
        how = "file"
    elif kind == "f":
        os.chmod(real, plan["modes"][0][1])
        how = "file"
    elif not kind:
        _build(None, stage, plan)
        os.makedirs(os.path.dirname(real), exist_ok=True)
        os.rename(os.path.join(stage, "next.tree"), real)
        how = "new"
    elif _single(real, plan):
        for name in plan["delete"]:
            os.unlink(os.path.join(real, name))
        os.rename(os.path.join(stage, plan["files"][0][1]), os.path.join(real, plan["files"][0][0]))
        how = "file"
    elif plan.get("foreign") or _in_use(real) or os.path.dirname(stage) == real:
        _in_place(real, stage, plan)
        how = "in place"
    else:
        _build(real, stage, plan)
        try:
            _exchange(real, stage)
            how = "swap"
        except OSError as err:
            if err.errno not in (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES):
                raise
            # The staged files went into the tree beside: they are taken from there.
            for path, key, _ in plan["files"]:
                os.rename(os.path.join(stage, "next.tree", path), os.path.join(stage, key))
            _in_place(real, stage, plan)
            how = "in place"
    clean(stage)
    return how


def _single(real: str, plan: dict[str, Any]) -> bool:
    """One file and at most its compiled form: a rename is the switch, without a second tree beside."""
    if len(plan["files"]) != 1 or plan["dirs"] or plan["links"] or plan["modes"]:
        return False
    folder = os.path.dirname(os.path.join(real, plan["files"][0][0]))
    return all(name.endswith(".pyc") for name in plan["delete"]) and os.access(folder, os.W_OK | os.X_OK)


def clean(folder: str) -> None:
    """Remove a folder with all that is in it, as far as possible. shutil would do it, but is slow to import."""
    if os.path.islink(folder):
        return
    found = []
    for top, folders, files in os.walk(folder):
        _try(os.chmod, top, 0o700)  # of the tree that was replaced: read-only folders
        found.append((top, folders, files))
    for top, folders, files in reversed(found):
        links = [name for name in folders if os.path.islink(os.path.join(top, name))]
        for name in files + links:
            _try(os.unlink, os.path.join(top, name))
        _try(os.rmdir, top)


def _in_use(real: str) -> bool:
    """A mount point inside the tree, or a program whose working folder it is: the folder itself has to stay."""
    below = real.rstrip("/") + "/"
    if any(m == real or m.startswith(below) for m in _mounts()):
        return True
    for pid in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if pid.isdigit():
            try:
                cwd = os.readlink("/proc/" + pid + "/cwd")
            except OSError:
                continue
            if cwd == real or cwd.startswith(below):
                return True
    return False


def lay(stage: str, dirs: list[str]) -> str:
    """next.tree with its folders, for the files of a new tree to come straight into it."""
    top = os.path.join(stage, "next.tree")
    clean(top)
    os.mkdir(top, 0o700)
    for name in dirs:
        if name:
            os.mkdir(os.path.join(top, name), 0o700)
    return top


def _copy(src: str, dst: str) -> None:
    import shutil

    shutil.copy2(src, dst)


def _build(real: str | None, stage: str, plan: dict[str, Any]) -> None:
    """next.tree: hard links to what stays, what is staged over it."""
    top = os.path.join(stage, "next.tree") if plan.get("laid") else lay(stage, [])
    modes: dict[str, int] = {"": 0o755}
    if real is not None:
        entries: list[Entry] = []
        unreadable: list[str] = []
        _walk(real, entries, unreadable)
        if unreadable:
            raise CopyFault("cannot be read: " + unreadable[0])
        modes[""] = stat.S_IMODE(os.stat(real).st_mode)
        gone = set(plan["delete"]) | {f[0] for f in plan["files"]} | {f[0] for f in plan["links"]}
        other = dict(plan["modes"])
        for entry in entries:
            name = str(entry[0])
            if name in gone or _below(name, gone):
                continue
            new = os.path.join(top, name)
            if entry[1] == "d":
                os.mkdir(new)
                modes[name] = entry[2]
            elif entry[1] == "l":
                os.symlink(entry[5], new)
            elif name in other:
                _copy(os.path.join(real, name), new)
            else:
                try:
                    os.link(os.path.join(real, name), new)
                except OSError:
                    _copy(os.path.join(real, name), new)
    _lay(top, stage, plan)
    modes.update((p, m) for p, m in plan["dirs"])
    modes.update((p, m) for p, m in plan["modes"] if p in modes)
    for name, mode in modes.items():
        os.chmod(os.path.join(top, name), mode)


def _below(name: str, gone: set[str]) -> bool:
    while "/" in name:
        name = name.rpartition("/")[0]
        if name in gone:
            return True
    return False


def _lay(top: str, stage: str, plan: dict[str, Any]) -> None:
    for name, _ in plan["dirs"]:
        path = os.path.join(top, name)
        if name and not os.path.isdir(path):
            os.mkdir(path, 0o700)
    for name, key, _ in plan["files"]:
        staged, path = os.path.join(stage, key), os.path.join(top, name)
        if os.path.exists(staged):  # else an earlier try that was cut off has done it
            os.rename(staged, path)
    for name, target in plan["links"]:
        fresh = os.path.join(stage, "link.new")
        if os.path.lexists(fresh):
            os.unlink(fresh)
        os.symlink(target, fresh)
        os.rename(fresh, os.path.join(top, name))
    for name, mode in plan["modes"]:
        if os.path.lexists(os.path.join(top, name)):
            os.chmod(os.path.join(top, name), mode)


def _in_place(real: str, stage: str, plan: dict[str, Any]) -> None:
    """One rename per file, noted down first: what is cut off here is completed by the next copy."""
    import json

    note = os.path.join(stage, "commit.json")
    with open(note + ".new", "w") as file:
        json.dump(plan, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(note + ".new", note)
    _forward(real, stage, plan)


def _forward(real: str, stage: str, plan: dict[str, Any]) -> None:
    closed = _unlock(real, plan)
    for name in reversed(plan["delete"]):
        path = os.path.join(real, name)
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
    _lay(real, stage, plan)
    for name, mode in closed + plan["dirs"]:
        if os.path.isdir(os.path.join(real, name)):
            os.chmod(os.path.join(real, name), mode)


def _unlock(real: str, plan: dict[str, Any]) -> list[list[Any]]:
    """Make our read-only folders writable where the plan changes something in them; their modes: [[path, mode]]."""
    changed = {os.path.dirname(p) for p in plan["delete"]}
    changed |= {os.path.dirname(e[0]) for part in ("dirs", "files", "links") for e in plan[part]}
    found = []
    for name in changed:
        path = os.path.join(real, name)
        if os.path.isdir(path) and not os.access(path, os.W_OK | os.X_OK):
            found.append([name, stat.S_IMODE(os.stat(path).st_mode)])
            os.chmod(path, 0o700)
    wanted = {p for p, _ in plan["modes"]}
    return [f for f in found if f[0] not in wanted]


def _exchange(real: str, stage: str) -> None:
    """Swap the tree and its successor; at once where the kernel can, else by two renames that _recover knows."""
    new, old = os.path.join(stage, "next.tree"), os.path.join(stage, "old.tree")
    try:
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(-100, os.fsencode(new), -100, os.fsencode(real), 2) == 0:
            return
        if ctypes.get_errno() in (errno.EBUSY, errno.EXDEV):
            raise OSError(ctypes.get_errno(), "exchange")
    except (ImportError, AttributeError):
        pass
    os.rename(real, old)
    os.rename(new, real)


def _complete(real: str, stage: str) -> None:
    """Complete a switch that was cut off, unless another copy is doing so; on failure the next copy tries again."""
    if os.path.exists(os.path.join(stage, "old.tree")) or os.path.exists(os.path.join(stage, "commit.json")):
        try:
            with lock(stage, "", 0):
                _recover(real, stage)
                clean(stage)
        except (CopyFault, OSError):
            return


def _check_whole(real: str, stage: str) -> None:
    """A switch that was cut between its two renames, and a target that was created again: both trees are kept."""
    old, new = os.path.join(stage, "old.tree"), os.path.join(stage, "next.tree")
    if os.path.isdir(old) and os.path.isdir(new) and os.path.lexists(real):
        raise CopyFault(
            real + " was created again while an earlier copy was interrupted; its earlier content is in " + old
        )


def _recover(real: str, stage: str) -> None:
    """The lock is held."""
    _check_whole(real, stage)
    old, note = os.path.join(stage, "old.tree"), os.path.join(stage, "commit.json")
    if os.path.isdir(old) and not os.path.lexists(real):
        os.rename(old, real)
    if os.path.isfile(note):
        import json

        with open(note) as file:
            plan = json.load(file)
        _forward(real, stage, plan)
        os.unlink(note)


# -- the loop in the pod -------------------------------------------------------------------------------------------


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer commands until `bye` or the end of input."""
    real, stage, held, seen = "", "", None, 0
    entries: list[Entry] = []
    ahead: dict[int, bytes] = {}

    def reply(message: Any) -> None:
        data = _json(message).encode()
        sink.write(len(data).to_bytes(4, "big") + data)
        sink.flush()

    def beat() -> None:
        sink.write(b"h")
        sink.flush()

    for command in _commands(source):
        do = command["do"]
        try:
            _patience(0)
            if do == "list":
                found = listing(command["path"])
                real, entries, seen = found["real"], found["entries"], _inode(found["real"])
                reply(found)
                ahead = _hash_ahead(real, entries, source)
            elif do == "hash":
                for index in command["files"]:
                    sink.write(b"d" + (ahead.get(index) or digest(real, entries[index][0], entries[index][3], beat)))
                sink.flush()
            elif do == "send":
                for index, offset in command["files"]:
                    send(real, entries[index][0], entries[index][3], offset, sink.write)
                sink.flush()
            elif do == "open":
                stage = stage_of(real)
                held = lock(stage, command["token"])
                _try(_recover, real, stage)
                if _inode(real) == seen:
                    reply({"staged": _staged(stage)})
                else:
                    clean(stage)
                    reply({"stale": True})
                    return
            elif do == "put":
                top = stage if command["lay"] is None else lay(stage, command["lay"])
                for key, size, offset, mode, mtime, name in command["files"]:
                    receive(top, key, size, offset, mode, mtime, source.readinto, name)  # type: ignore[attr-defined]
                reply({"done": len(command["files"])})
            elif do == "commit":
                reply({"how": commit(real, stage, command)})
            elif do == "bye":
                return
        except EOFError:
            return
        except (CopyFault, OSError) as err:
            reply({"error": str(err)})
            return
    del held


def _hash_ahead(real: str, entries: list[Entry], source: BinaryIO) -> dict[int, bytes]:
    """{index: sha256} of small files, taken until the other side has read the list and says what it wants to know."""
    import select

    out = {}
    for index, entry in enumerate(entries):
        if entry[1] == "f" and entry[3] <= BLOCK:
            out[index] = digest(real, entry[0], entry[3])
        if index % 32 == 31 and select.select([source], [], [], 0)[0]:
            break
    return out


def _patience(seconds: int) -> None:
    """In the pod: end this process when the other side has disappeared, which would hold the lock for ever."""
    if _in_pod:
        _signal.alarm(seconds)


def _commands(source: BinaryIO) -> Iterator[dict[str, Any]]:
    while True:
        _patience(IDLE)
        head = source.read(4)
        if len(head) < 4:
            return
        yield marshal.loads(source.read(int.from_bytes(head, "big")))


def _json(value: Any) -> str:
    """JSON of str, bool, int, list and dict, in ASCII."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ",".join([_quote(k) + ":" + _json(v) for k, v in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_json(v) for v in value]) + "]"
    return str(int(value))


def main(source: BinaryIO) -> None:
    """Entry in the pod: standard input, of which our own text was read, and output are the connection."""
    global _in_pod
    _in_pod = True
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    try:
        import fcntl

        for fd in (0, 1):
            fcntl.fcntl(fd, 1031, 1 << 20)  # F_SETPIPE_SZ: fewer switches between the kubelet's side and ours
    except (ImportError, OSError):
        pass
    serve(source, open(1, "wb", BLOCK))  # noqa: SIM115
