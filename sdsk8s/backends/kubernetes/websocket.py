"""Frames of the API server's WebSockets, in constant memory: the first byte of each says which channel it is of.

General client libraries copy every byte several times and mask it in Python; here a frame's payload goes from the
file's buffer to the socket, and back, as it is.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections import deque
from contextlib import suppress
from typing import Any

from sdsk8s.backends.kubernetes.connection import Reply
from sdsk8s.errors import ClusterError

BLOCK = 128 * 1024
IDLE_SECONDS = 60.0
_HEAD = 15  # two bytes, eight of length, four of mask, the channel
_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Cut(ClusterError):
    """The connection ended before the command did: worth another try. silent: it was there, but nothing came."""

    silent = False


class WebSocket:
    """One channel in each direction for data; bytes of other channels are passed to `other()`.

    Not for several threads. With `duplex` set, what arrives is taken in while we send, so that neither side waits for
    the other for ever; without it sending is faster.
    """

    duplex = False
    deadline: float | None = None

    def __init__(self, reply: Reply, secure: bool, where: str, incoming: int) -> None:
        """reply: of Connection.switch; incoming: the channel that some(), exactly() and into() read."""
        self.where = where
        self._socket = reply.socket
        self._socket.settimeout(IDLE_SECONDS)
        self._secure = secure
        self._incoming = incoming
        self._ahead: deque[bytes] = deque()
        self._eof = False
        self._ended = False
        self._buffer = bytearray(4 * BLOCK)
        self._view = memoryview(self._buffer)
        self._at = self._end = 0
        self._left = 0  # bytes of the current frame's payload that are not read yet
        self._channel = -1
        self._out = bytearray(_HEAD + BLOCK)
        self._room = memoryview(self._out)[_HEAD:]
        self._used = 0

    def other(self, channel: int, data: memoryview) -> None:
        """A piece of another channel; good until this returns."""

    def complete(self) -> bool:
        """Whether all that matters was said, so that an end without a close frame is an end like any other."""
        return False

    def finish(self) -> None:
        """The other side has ended the connection in good order."""

    def said(self) -> str:
        """Words of the other side for an error."""
        return ""

    def fileno(self) -> int:
        return int(self._socket.fileno())

    def shut(self) -> None:
        with suppress(OSError):
            self._socket.close()

    # -- sending ---------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Queue bytes for channel 0; whole frames leave at once, the rest with flush()."""
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
            self.frame(0, size)

    def frame(self, channel: int, size: int) -> None:
        """Send the first `size` bytes of the next frame's room on a channel."""
        # Over TLS nobody can see the bytes, so a mask of zeros is as good as any and costs nothing.
        mask = bytes(4) if self._secure else os.urandom(4)
        payload = size + 1
        head = bytes([0x82, 0x80 | 127]) + payload.to_bytes(8, "big") + mask + bytes([channel])
        if payload < 126:
            head = bytes([0x82, 0x80 | payload]) + mask + bytes([channel])
        elif payload < 65536:
            head = bytes([0x82, 0x80 | 126]) + payload.to_bytes(2, "big") + mask + bytes([channel])
        start = _HEAD - len(head)
        self._out[start:_HEAD] = head
        if not self._secure:
            _mask(self._out, _HEAD - 1, payload, mask)
        try:
            self._send(memoryview(self._out)[start : _HEAD + size])
        except OSError as err:
            raise self._cut(err) from None

    def _send(self, view: memoryview) -> None:
        # TLS in TLS (a proxy behind https) knows blocking calls only.
        if not self.duplex or not isinstance(self._socket, socket.socket):
            self._socket.sendall(view)
            return
        self._socket.settimeout(0)
        try:
            while view:
                try:
                    view = view[self._socket.send(view) :]
                    continue
                except ssl.SSLWantReadError:
                    writers = []
                except (BlockingIOError, ssl.SSLWantWriteError):
                    writers = [self._socket]
                readable, writable, _ = select.select([self._socket], writers, [], self._patience())
                if not readable and not writable:
                    raise TimeoutError
                if readable and not self._absorb():
                    raise ConnectionResetError("the connection has ended")
        finally:
            self._socket.settimeout(IDLE_SECONDS)

    def _absorb(self) -> bool:
        """Keep what can be read now for later; False when the other side has ended."""
        with suppress(*_NOW):
            data = self._socket.recv(BLOCK)
            self._eof = self._eof or not data
            if data:
                self._ahead.append(data)
        return not self._eof

    # -- receiving -------------------------------------------------------------------------------------------------

    def waiting(self) -> bool:
        """Something can be read without waiting."""
        if self._end > self._at or self._ahead or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return bool(select.select([self._socket], [], [], 0)[0])

    def some(self, limit: int) -> memoryview:
        """Up to limit bytes of our channel, at least one; good until the next call. Empty at its end."""
        while (found := self.piece(limit)) is None:
            pass
        return found

    def piece(self, limit: int) -> memoryview | None:
        """As some(), but None after a frame, or a part of one, that is not of our channel."""
        if not self._left and not self._ended:
            self._next()
        if self._left and self._channel == self._incoming:
            if self._at == self._end:
                self._fill()
            size = min(self._left, self._end - self._at, limit)
            found = self._view[self._at : self._at + size]
            self._at += size
            self._left -= size
            return found
        if self._left:
            self._other()
            return None
        return self._view[:0] if self._ended else None

    def exactly(self, size: int) -> bytes:
        """Exactly size bytes. Cut when the connection ends, the error of early() when the command does."""
        out = bytearray()
        while len(out) < size:
            found = self.some(size - len(out))
            if not found:
                raise self.early()
            out += found
        return bytes(out)

    def early(self) -> ClusterError:
        """The error for an end in the middle of an answer."""
        return Cut("the connection was cut", target=self.where, words=self.said())

    def into(self, view: memoryview) -> int:
        """Fill a buffer with bytes of our channel, from the socket straight into it. Less only at the end."""
        done, size = 0, len(view)
        while done < size:
            if self._at == self._end and self._channel == self._incoming and self._left:
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

    def _other(self) -> None:
        if self._at == self._end:
            self._fill()
        size = min(self._left, self._end - self._at)
        self.other(self._channel, self._view[self._at : self._at + size])
        self._at += size
        self._left -= size

    def _next(self) -> None:
        """The head of the next frame."""
        try:
            first, second = self._bytes(2)
        except Cut as err:
            if err.silent or not self.complete():
                raise
            self._close()
            return
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
            self._close()
        else:
            data = self._bytes(size)
            if opcode == 9:
                self._pong(data)

    def _pong(self, data: bytes) -> None:
        mask = bytes(4) if self._secure else os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        with suppress(OSError):  # what is read next says that the connection has ended
            self._send(memoryview(bytes([0x8A, 0x80 | len(data)]) + mask + masked))

    def _close(self) -> None:
        self._ended = True
        self.finish()

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
        if self._ahead:
            data = self._ahead.popleft()
            size = min(len(data), len(view))
            view[:size] = data[:size]
            if data[size:]:
                self._ahead.appendleft(data[size:])
            return size
        try:
            if self.deadline is not None:
                self._socket.settimeout(self._patience())
            size = 0 if self._eof else self._socket.recv_into(view)
        except OSError as err:
            raise self._cut(err) from None
        if not size:
            raise Cut("the connection was cut", target=self.where, words=self.said())
        return int(size)

    def _patience(self) -> float:
        if self.deadline is None:
            return IDLE_SECONDS
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _cut(self, err: OSError) -> Cut:
        words = f"nothing moved for {IDLE_SECONDS:.0f} s" if isinstance(err, TimeoutError) else str(err)
        cut = Cut("the connection was cut", target=self.where, words=words)
        cut.silent = isinstance(err, TimeoutError)
        return cut


def _mask(buffer: bytearray, start: int, size: int, mask: bytes) -> None:
    data = buffer[start : start + size]
    pad = (mask * (size // 4 + 1))[:size]
    buffer[start : start + size] = (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
