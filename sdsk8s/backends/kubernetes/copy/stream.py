"""A command in a container as a stream of bytes in both directions, of any length, in constant memory.

The WebSocket client library copies every byte several times and masks it in Python; here a frame's payload goes from
the file's buffer to the socket, and back, as it is.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from sdsk8s.backends.kubernetes.copy.endpoint import Endpoint, read_head
from sdsk8s.errors import ClusterError

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
BLOCK = 128 * 1024
IDLE_SECONDS = 60.0
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_HEAD = 15  # two bytes, eight of length, four of mask, the channel
_WORDS = 64 * 1024
_GONE = re.compile(r"container not found|not running|stopped (container|state)|task \S+ not found", re.I)
"""What runtimes and kubelets say of a container that has ended, and not of a program that it does not have."""


class Cut(ClusterError):
    """The connection ended before the command did: worth another try. silent: it was there, but nothing came."""

    silent = False


class NotStarted(ClusterError):
    """The command could not be started: there is no such program in the container."""


class Stream:
    """protocols: what we ask for. `protocol` is what the server chose."""

    def __init__(
        self, endpoint: Endpoint, pod: str, container: str, argv: Sequence[str], protocols: Sequence[str] = (V5, V4)
    ) -> None:
        self.where = f"pod {pod}, container {container}"
        self.stderr = bytearray()
        self.code: int | None = None
        self._status = bytearray()
        self._ended = False
        query = [("container", container), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in argv]
        self._open(endpoint, endpoint.path(pod, "exec") + "?" + urlencode(query), protocols)
        self._buffer = bytearray(4 * BLOCK)
        self._view = memoryview(self._buffer)
        self._at = self._end = 0
        self._left = 0  # bytes of the current frame's payload that are not read yet
        self._channel = -1
        self._out = bytearray(_HEAD + BLOCK)
        self._room = memoryview(self._out)[_HEAD:]
        self._used = 0

    # -- sending ---------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Queue bytes for the command's input; whole frames leave at once, the rest with flush()."""
        view = memoryview(data)
        while view:
            taken = min(len(view), BLOCK - self._used)
            self._room[self._used : self._used + taken] = view[:taken]
            self._used += taken
            view = view[taken:]
            if self._used == BLOCK:
                self.flush()

    def fill(self, file: Any, limit: int) -> memoryview:
        """Read up to limit bytes of an unbuffered file straight into the next frame; returns what was read."""
        if self._used == BLOCK:
            self.flush()
        free = self._room[self._used : min(BLOCK, self._used + limit)]
        size = file.readinto(free) or 0
        self._used += size
        return free[:size]

    def flush(self) -> None:
        if self._used:
            size, self._used = self._used, 0
            self._frame(_STDIN, size)

    def close_input(self) -> None:
        """Tell the command that its input has ended; only v5 can."""
        self.flush()
        if self.protocol == V5:
            self._room[0] = _STDIN
            self._frame(_CLOSE, 1)

    def _frame(self, channel: int, size: int) -> None:
        # Over TLS nobody can see the bytes, so a mask of zeros is as good as any and costs nothing.
        mask = bytes(4) if self._tls else os.urandom(4)
        payload = size + 1
        head = bytes([0x82, 0x80 | 127]) + payload.to_bytes(8, "big") + mask + bytes([channel])
        if payload < 126:
            head = bytes([0x82, 0x80 | payload]) + mask + bytes([channel])
        elif payload < 65536:
            head = bytes([0x82, 0x80 | 126]) + payload.to_bytes(2, "big") + mask + bytes([channel])
        start = _HEAD - len(head)
        self._out[start:_HEAD] = head
        if not self._tls:
            _mask(self._out, _HEAD - 1, payload, mask)
        try:
            self._socket.sendall(memoryview(self._out)[start : _HEAD + size])
        except OSError as err:
            raise self._cut(err) from None

    # -- receiving -------------------------------------------------------------------------------------------------

    def waiting(self) -> bool:
        """Something of the command's output can be read without waiting."""
        if self._end > self._at or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], 0)[0])

    def some(self, limit: int) -> memoryview:
        """Up to limit bytes of the command's output, at least one; good until the next call. Empty at its end."""
        while True:
            if self._left and self._channel == _STDOUT:
                if self._at == self._end:
                    self._fill()
                size = min(self._left, self._end - self._at, limit)
                found = self._view[self._at : self._at + size]
                self._at += size
                self._left -= size
                return found
            if self._left:
                self._other()
            elif self._ended:
                return self._view[:0]
            else:
                self._next()

    def exactly(self, size: int) -> bytes:
        """Exactly size bytes. Cut when the connection ends, ClusterError when the command does."""
        out = bytearray()
        while len(out) < size:
            found = self.some(size - len(out))
            if not found:
                raise self._early()
            out += found
        return bytes(out)

    def into(self, view: memoryview) -> int:
        """Fill a buffer with the command's output, from the socket straight into it. Less only at the end."""
        done, size = 0, len(view)
        while done < size:
            if self._at == self._end and self._channel == _STDOUT and self._left:
                got = self._receive(view[done : done + self._left])
                self._left -= got
            else:
                found = self.some(size - done)
                if not found:
                    break
                got = len(found)
                view[done : done + got] = found
            done += got
        return done

    def rest(self, limit: int = 1 << 20) -> bytes:
        """What is left of the output, of which at most `limit` bytes are kept; `code` is known then."""
        out = bytearray()
        while found := self.some(BLOCK):
            out += found[: max(0, limit - len(out))]
        return bytes(out)

    def shut(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def _early(self) -> ClusterError:
        words = bytes(self.stderr).decode(errors="replace").strip() or self._message
        if self.code is None and not self._message:
            return Cut("the connection was cut", target=self.where, words=words)
        return ClusterError(
            f"the command in the pod ended early (exit code {self.code})", target=self.where, words=words
        )

    def _other(self) -> None:
        """A piece of what is not standard output."""
        if self._at == self._end:
            self._fill()
        size = min(self._left, self._end - self._at)
        data = self._view[self._at : self._at + size]
        self._at += size
        self._left -= size
        kept = self.stderr if self._channel == _STDERR else self._status if self._channel == _ERROR else None
        if kept is not None and len(kept) < _WORDS:
            kept += data

    def _next(self) -> None:
        """The head of the next frame."""
        first, second = self._bytes(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self._bytes(2 if size == 126 else 8), "big")
        opcode = first & 0x0F
        if opcode in (1, 2) and size:
            self._channel = self._bytes(1)[0]
            self._left = size - 1
        elif opcode == 0:
            self._left = size
        elif opcode == 8:
            self._bytes(size)
            self._finish()
        else:
            data = self._bytes(size)
            if opcode == 9:
                self._pong(data)

    def _pong(self, data: bytes) -> None:
        mask = bytes(4) if self._tls else os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        self._socket.sendall(bytes([0x8A, 0x80 | len(data)]) + mask + masked)

    def _finish(self) -> None:
        self._ended = True
        if not self._status:
            raise Cut("the connection was cut", target=self.where, words=self._said())
        status = json.loads(bytes(self._status))
        causes = (status.get("details") or {}).get("causes") or ()
        code = next((str(c.get("message", "")) for c in causes if c.get("reason") == "ExitCode"), "")
        if status.get("status") == "Success":
            self.code = 0
        elif code.isdigit():
            self.code = int(code)
        else:
            self._message = str(status.get("message") or "the command ended without an exit code")
            if _GONE.search(self._message):
                raise Cut("the container does not run", target=self.where, words=self._message)
            raise NotStarted("the command could not be run", target=self.where, words=self._message)

    def _said(self) -> str:
        return bytes(self.stderr).decode(errors="replace").strip()

    def _bytes(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            if self._at == self._end:
                self._fill()
            taken = min(size - len(out), self._end - self._at)
            out += bytes(self._view[self._at : self._at + taken])
            self._at += taken
        return out

    def _fill(self) -> None:
        self._at, self._end = 0, self._receive(self._view)

    def _receive(self, view: memoryview) -> int:
        try:
            size = self._socket.recv_into(view)
        except OSError as err:
            raise self._cut(err) from None
        if not size:
            if self._status and not self._ended:
                self._finish()
            raise Cut("the connection was cut", target=self.where, words=self._said())
        return size

    def _cut(self, err: OSError) -> Cut:
        words = f"nothing moved for {IDLE_SECONDS:.0f} s" if isinstance(err, TimeoutError) else str(err)
        cut = Cut("the connection was cut", target=self.where, words=words)
        cut.silent = isinstance(err, TimeoutError)
        return cut

    # -- opening ---------------------------------------------------------------------------------------------------

    def _open(self, endpoint: Endpoint, url: str, protocols: Sequence[str]) -> None:
        self._message = ""
        try:
            raw = endpoint.connect()
        except ssl.SSLError as err:
            raise ClusterError("the API server is not trusted", target=endpoint.host, words=str(err)) from None
        except OSError as err:
            raise Cut("the API server cannot be reached", target=endpoint.host, words=str(err)) from None
        headers = {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Protocol": ", ".join(protocols),
        }  # fmt: skip
        try:
            endpoint.request(raw, url, "1.1", headers)
            status, reply = read_head(raw)
            if status != 101:
                with raw:
                    raise _refusal(status, _body(raw, reply), self.where)
        except (OSError, ValueError) as err:
            raise Cut("the command could not be started", target=self.where, words=str(err)) from None
        self.protocol = reply.get("sec-websocket-protocol", "")
        if self.protocol not in protocols:
            raise ClusterError("the API server speaks no exec protocol of ours", target=self.where, words=self.protocol)
        raw.settimeout(IDLE_SECONDS)
        self._socket = raw
        self._tls = isinstance(raw, ssl.SSLSocket)


def _body(raw: socket.socket, headers: Mapping[str, str]) -> bytes:
    body, left = b"", min(int(headers.get("content-length") or 0), 65536)
    while len(body) < left and (more := raw.recv(left - len(body))):
        body += more
    return body


def _refusal(code: int, body: bytes, where: str) -> ClusterError:
    try:
        words = str(json.loads(body).get("message") or "")
    except (ValueError, AttributeError):
        words = body.decode(errors="replace")[:300]
    if code in (429, 500, 502, 503, 504):
        return Cut("the command could not be started", target=where, words=words or f"HTTP {code}")
    what = "access denied" if code in (401, 403) else "the command could not be started"
    return ClusterError(
        what, target=where, words=words or f"HTTP {code}", next="sdsk8s doctor" if code < 404 else "sdsk8s status"
    )


def _mask(buffer: bytearray, start: int, size: int, mask: bytes) -> None:
    data = buffer[start : start + size]
    pad = (mask * (size // 4 + 1))[:size]
    buffer[start : start + size] = (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
