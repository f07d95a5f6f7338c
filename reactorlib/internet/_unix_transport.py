"""
An asyncio transport over a UNIX socket that carries file descriptors.

It takes the place of the loop's own transport, by a duplicate of its socket.
What the old one still has to send goes first: until that is done (`_draining`)
everything written waits here.

A descriptor is sent with one byte of what is written after it, each in a message
of its own, so that the receiver gets them in order. Those that come in
are given to the protocol (`descriptor_received`) before the bytes beside them.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import os
import socket
from collections import deque
from typing import Any

from reactorlib.internet._write_buffer import WriteBuffer
from reactorlib.internet.error import FileDescriptorOverrun

__all__ = ["UNIXTransport"]

_READ = 65536
#: How many descriptors one message may carry: Linux allows 253.
_MOST_DESCRIPTORS = 253
#: For how many bytes a descriptor counts that waits to leave: 64 of them fill the buffer.
_FOR_A_DESCRIPTOR = 1024


class _Draining(asyncio.Protocol):
    """What the loop's own transport has for a protocol until it has sent the rest."""

    def __init__(self, successor: UNIXTransport) -> None:
        self._successor = successor

    def data_received(self, data: bytes) -> None:
        self._successor._came_early(data)

    def eof_received(self) -> bool:
        return True

    def resume_writing(self) -> None:
        self._successor._drained()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._successor._old_lost(exc)


class UNIXTransport(WriteBuffer, asyncio.Transport):
    """
    One connection's transport.

    Args:
        old: the loop's transport, whose socket this goes on with.
        protocol: who is told; as asyncio's, with `descriptor_received`.

    Raises:
        NotImplementedError: the loop cannot watch a socket for us.
    """

    def __init__(
        self,
        old: asyncio.Transport,
        protocol: Any,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
    ) -> None:
        super().__init__()
        self._old: asyncio.Transport | None = old
        self._peername = old.get_extra_info("peername")
        self._sockname = old.get_extra_info("sockname")
        self._protocol = protocol
        self._loop = loop
        self._context = context
        old_socket = old.get_extra_info("socket")
        self._sock = socket.socket(fileno=os.dup(old_socket.fileno()))
        self._sock.setblocking(False)
        self._queue: deque[memoryview] = deque()
        #: How many bytes are in it, and how many have left.
        self._size = self._sent = 0
        #: Descriptors, each with how many bytes go before it.
        self._descriptors: deque[tuple[int, int]] = deque()
        #: Whether the protocol has been told to pause writing; perhaps by the old transport.
        self._choked = bool(getattr(protocol, "_choked", False))
        self._writing = False
        self._reading = False
        self._paused = False
        self._eof = False
        self._closing = False
        self._lost = False
        self._early: list[bytes] = []

    def begin(self, unread: bytes, paused: bool) -> None:
        """
        Take over.

        Args:
            unread: what has been read and not delivered.
            paused: whether reading is paused.
        """
        old = self._old
        assert old is not None
        try:
            self._loop.add_reader(self._sock, _nothing)
        except NotImplementedError:
            self._sock.close()
            raise NotImplementedError(
                "file descriptors cannot be sent or received on this event loop, which cannot "
                "watch a socket (add_reader); use a selector loop or uvloop"
            ) from None
        self._loop.remove_reader(self._sock)
        self._paused = paused
        if unread:
            self._early.append(unread)
        old.set_protocol(_Draining(self))
        old.pause_reading()
        old.set_write_buffer_limits(0)
        if old.get_write_buffer_size() == 0:
            # Not a moment later: uvloop begins to read after connection_made, whatever
            # was said there, and would lose descriptors.
            self._replace()

    def _came_early(self, data: bytes) -> None:
        """The old transport has read this before it was told to pause, or in spite of it."""
        self._early.append(data)

    def _drained(self) -> None:
        """The old transport has sent all it had."""
        # It is about to say so, and asyncio's does not expect to be closed meanwhile.
        self._loop.call_soon(self._replace, context=self._context)

    def _replace(self) -> None:
        old, self._old = self._old, None
        if old is not None:
            old.abort()
            self._loop.call_soon(self._start, context=self._context)

    def _old_lost(self, exc: BaseException | None) -> None:
        if self._old is not None:
            self._old = None
            self._force_close(exc)

    def _start(self) -> None:
        if not self._lost:
            self._read_on()
            self._write_ready()

    # -- reading --------------------------------------------------------------

    def _read_on(self) -> None:
        wanted = not (self._paused or self._closing or self._old is not None or self._lost)
        if wanted and self._early:
            self._loop.call_soon(self._deliver_early, context=self._context)
        elif wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._context.copy().run(self._loop.add_reader, self._sock, self._read_ready)
            else:
                self._loop.remove_reader(self._sock)

    def _deliver_early(self) -> None:
        if not (self._paused or self._closing):
            early, self._early = self._early, []
            if early:
                self._protocol.data_received(b"".join(early))
            self._read_on()

    def _read_ready(self) -> None:
        try:
            data, descriptors, complete = self._receive()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exception:
            self._force_close(exception)
            return
        if not complete:
            why = "no room for a file descriptor that the peer has sent, which is lost"
            self._force_close(OSError(errno.EMFILE, why))
        for descriptor in descriptors:
            if self._closing:
                os.close(descriptor)
            else:
                # TLS above this has no use for one.
                getattr(self._protocol, "descriptor_received", os.close)(descriptor)
        if self._closing:
            return
        if data:
            if self._paused:  # for one of the descriptors
                self._early.append(data)
            else:
                self._protocol.data_received(data)
            return
        self._reading = False
        self._loop.remove_reader(self._sock)
        if not self._protocol.eof_received():
            self.close()

    def _receive(self) -> tuple[bytes, list[int], bool]:
        """Bytes, the descriptors beside them, and whether that is all that was sent."""
        data, descriptors, flags, _ = socket.recv_fds(
            self._sock, _READ, _MOST_DESCRIPTORS, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        )
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return data, list(descriptors), not flags & socket.MSG_CTRUNC

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`."""
        self._paused = True
        self._read_on()

    def resume_reading(self) -> None:
        """Read on."""
        self._paused = False
        self._read_on()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._reading

    # -- writing --------------------------------------------------------------

    @property
    def _beside(self) -> int:  # type: ignore[override]  # which is never assigned
        """Descriptors that wait with bytes: a process has few of them."""
        return min(len(self._descriptors), self._size) * _FOR_A_DESCRIPTOR

    def send_descriptor(self, descriptor: int) -> None:
        """Send a descriptor with the next byte, and close it then."""
        self._descriptors.append((self._sent + self._size, descriptor))

    def write(self, data: Any) -> None:
        """Send; never blocks."""
        if self._closing or self._eof or not data:
            return
        self._queue.append(memoryview(data))
        self._size += len(data)
        if not self._writing and self._old is None:
            self._write_ready()
        self._tell_flow()

    def _write_ready(self) -> None:
        try:
            self._write_some()
        except OSError as exception:
            self._force_close(exception)
            return
        waits = self._size > 0
        if waits != self._writing and not self._lost:
            self._writing = waits
            if waits:
                self._context.copy().run(self._loop.add_writer, self._sock, self._write_ready)
            else:
                self._loop.remove_writer(self._sock)
        self._tell_flow()
        if not waits and not self._lost:
            if self._closing:
                self._end()
            elif self._eof:
                self._shut_down()

    def _write_some(self) -> None:
        queue, descriptors = self._queue, self._descriptors
        while queue:
            data = queue[0]
            try:
                if not descriptors:
                    sent = self._sock.send(data)
                elif (ahead := descriptors[0][0] - self._sent) > 0:
                    sent = self._sock.send(data[:ahead])
                else:
                    sent = socket.send_fds(self._sock, [data[:1]], [descriptors[0][1]])
                    os.close(descriptors.popleft()[1])
            except (BlockingIOError, InterruptedError):
                return
            self._sent += sent
            self._size -= sent
            if sent == len(data):
                queue.popleft()
            else:
                queue[0] = data[sent:]

    def _may_go_on(self) -> bool:
        return self._old is None and not self._lost

    def write_eof(self) -> None:
        """Send no more."""
        if not (self._eof or self._closing):
            self._eof = True
            if not self._size and self._old is None:
                self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as exception:
            self._force_close(exception)  # the peer has gone meanwhile

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    # -- closing --------------------------------------------------------------

    def close(self) -> None:
        """Close once everything has left."""
        if not self._closing:
            self._closing = True
            self._read_on()
            if not self._size and self._old is None:
                self._end()

    def _end(self) -> None:
        """All has left; a descriptor that has no byte to go with is a mistake."""
        self._force_close(FileDescriptorOverrun() if self._descriptors else None)

    def abort(self) -> None:
        """Close now."""
        self._force_close(None)

    def is_closing(self) -> bool:
        """Whether it closes, or is closed."""
        return self._closing

    def _force_close(self, exc: BaseException | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        if self._reading:
            self._loop.remove_reader(self._sock)
        if self._writing:
            self._loop.remove_writer(self._sock)
        self._reading = self._writing = False
        while self._descriptors:
            os.close(self._descriptors.popleft()[1])
        self._queue.clear()
        self._size = 0
        old, self._old = self._old, None
        if old is not None:
            old.abort()
        self._loop.call_soon(self._closed, exc)

    def _closed(self, exc: BaseException | None) -> None:
        self._sock.close()
        self._protocol.connection_lost(exc)

    # -- the rest of a transport ----------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The socket, and the names of its ends."""
        known = {"socket": self._sock, "peername": self._peername, "sockname": self._sockname}
        return known.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Exchange the protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol


def _nothing() -> None:
    """Watch a socket for a moment, to see whether the loop can."""
