"""
asyncio transports over one descriptor and one direction: pipes, terminals, files.

The loop has such transports (`connect_read_pipe`, `connect_write_pipe`). These
take their place where they can, by `add_reader` and `add_writer`, because

- they are there at once, without a task: what starts a process is no coroutine.
  To attach the three pipes of a process so takes a fifth to a third of the time;
  the data then flows as fast (within 5 %, 64 KiB blocks through `cat`);
- uvloop's transport for writing reads as well, to see the other end close. On a
  terminal, or a socket, it takes what somebody else is to read;
- uvloop aborts the process on a file, reads once more after `pause_reading` in
  `connection_made`, and closes a pipe's number twice, of which the second time
  may hit another thread's file.

`open_reader` and `open_writer` choose: a loop that watches no descriptors has its
own transports used, and a file, of which no loop knows when it is ready, is read
in a thread, a piece at a time, and written directly.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import select
import stat
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["open_reader", "open_writer", "waits"]

#: Bytes taken by one read: what a pipe holds on Linux.
_READ = 65536

#: Bytes waiting to be written above which the writer is asked to pause, and at
#: which it may go on: asyncio's own limits.
_HIGH_WATER = 65536
_LOW_WATER = 16384


def open_reader(
    loop: asyncio.AbstractEventLoop, fd: int, protocol: Any, piped: bool = False
) -> None:
    """
    Read `fd` for an asyncio protocol. The number is the transport's to close.

    Whoever knows it to be the end of a pipe saves the system some questions.

    The protocol's `connection_made` is called before this returns, or soon; where
    there can be no transport, `connection_lost` is.
    """
    _open(loop, fd, protocol, piped, _PipeReader, _FileReader, loop.connect_read_pipe, "rb")


def open_writer(
    loop: asyncio.AbstractEventLoop, fd: int, protocol: Any, piped: bool = False
) -> None:
    """Write to `fd` for an asyncio protocol; otherwise as `open_reader`."""
    for_pipe = _WatchedPipeWriter if piped else _PipeWriter
    _open(loop, fd, protocol, piped, for_pipe, _FileWriter, loop.connect_write_pipe, "wb")


def _open(
    loop: asyncio.AbstractEventLoop,
    fd: int,
    protocol: Any,
    piped: bool,
    for_pipe: type[_Descriptor],
    for_file: type[_Descriptor],
    connect: Callable[[Callable[[], Any], Any], Coroutine[Any, Any, Any]],
    mode: str,
) -> None:
    try:
        transport = (for_pipe if piped or waits(fd) else for_file)(loop, fd, protocol)
    except NotImplementedError:
        pipe = open(fd, mode, buffering=0)  # noqa: SIM115  # the transport closes it
        _connect(loop, connect, pipe, protocol)
    except OSError as exception:
        os.close(fd)
        loop.call_soon(protocol.connection_lost, exception)
    else:
        protocol.connection_made(transport)


#: The loops' own transports on their way; a loop does not hold its tasks.
_attempts: set[asyncio.Task[Any]] = set()


class _Placeholder(asyncio.Protocol):
    """
    The protocol of a loop's own transport until it is all there.

    asyncio's is not, in `connection_made`: it goes on to watch its descriptor
    even if it has been closed meanwhile.
    """

    lost: tuple[BaseException | None] | None = None

    def __init__(self, reading: bool) -> None:
        self._reading = reading

    def connection_made(self, transport: Any) -> None:
        if self._reading:
            transport.pause_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lost = (exc,)


def _connect(
    loop: asyncio.AbstractEventLoop,
    connect: Callable[[Callable[[], Any], Any], Coroutine[Any, Any, Any]],
    pipe: Any,
    protocol: Any,
) -> None:
    """Use the loop's own transport."""

    def over(task: asyncio.Task[Any]) -> None:
        _attempts.discard(task)
        exception = asyncio.CancelledError() if task.cancelled() else task.exception()
        if exception is not None:
            pipe.close()
            protocol.connection_lost(exception)
            return
        transport, _ = task.result()
        if placeholder.lost is not None:
            protocol.connection_lost(*placeholder.lost)
            return
        transport.set_protocol(protocol)
        if reading:
            transport.resume_reading()
        protocol.connection_made(transport)

    reading = pipe.readable()
    placeholder = _Placeholder(reading)
    task = loop.create_task(connect(lambda: placeholder, pipe))
    _attempts.add(task)
    task.add_done_callback(over)


def waits(fd: int) -> bool:
    """
    Whether there can be a wait for `fd`, and so something to watch.

    A regular file is always ready, and so are devices like /dev/null.
    """
    mode = os.fstat(fd).st_mode
    if not stat.S_ISCHR(mode):
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    if not hasattr(select, "epoll"):
        return os.isatty(fd)
    with select.epoll() as poll:
        try:
            poll.register(fd, 0)
        except PermissionError:  # which is how epoll says it
            return False
    return True


class _Descriptor(asyncio.BaseTransport):
    """What they all have: a number, an end that comes once, and a protocol that hears of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: Any) -> None:
        super().__init__()
        self._loop = loop
        self._fd = fd
        self._protocol = protocol
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def _end(self, exc: BaseException | None) -> None:
        """Nothing more comes or goes; say so in the next turn."""
        if self._closing:
            return
        self._closing = True
        if self._loop.is_closed():
            self._close_fd()  # and nobody is there to be told
        else:
            self._stop()
            self._loop.call_soon(self._ended, exc)

    def _ended(self, exc: BaseException | None) -> None:
        self._close_fd()
        self._protocol.connection_lost(exc)

    def _close_fd(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _stop(self) -> None:
        """Watch nothing any more."""

    def __del__(self) -> None:
        if self._fd >= 0:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, 2, self)
            self._close_fd()

    def __repr__(self) -> str:
        state = "closed" if self._fd < 0 else "closing" if self._closing else "open"
        return f"<{self.__class__.__name__} {state} fd={self._fd}>"


class _PipeReader(_Descriptor, asyncio.ReadTransport):
    """Reads whenever there is something."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: Any) -> None:
        self._fd = -1
        self._reading = False
        loop.add_reader(fd, self._ready)
        self._reading = True
        super().__init__(loop, fd, protocol)
        os.set_blocking(fd, False)

    def _ready(self) -> None:
        try:
            data = os.read(self._fd, _READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exception:
            # EIO is how the master of a terminal says that its slaves are closed.
            self._end(None if exception.errno == errno.EIO else exception)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._end(None)

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        if not (self._reading or self._closing):
            self._reading = True
            self._loop.add_reader(self._fd, self._ready)

    def close(self) -> None:
        self._end(None)

    def _stop(self) -> None:
        self.pause_reading()


class _Writer(_Descriptor, asyncio.WriteTransport):
    """
    What writers have.

    Between `close` and the end, what is buffered still leaves.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: Any) -> None:
        super().__init__(loop, fd, protocol)
        self._buffer = bytearray()
        self._choked = False
        self._flushing = False
        self._high, self._low = _HIGH_WATER, _LOW_WATER

    def get_write_buffer_size(self) -> int:
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        self._high = high
        self._low = high // 4 if low is None else low
        self._check_high()

    def _check_high(self) -> None:
        if len(self._buffer) > self._high and not self._choked:
            self._choked = True
            self._protocol.pause_writing()

    def _check_low(self) -> None:
        if self._choked and len(self._buffer) <= self._low:
            self._choked = False
            self._protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing or self._flushing

    def close(self) -> None:
        if not self._buffer:
            self._end(None)
        self._flushing = True

    def abort(self) -> None:
        self._buffer.clear()
        self._end(None)


class _PipeWriter(_Writer):
    """Writes whenever there is room, and sees the other end of a pipe close."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: Any) -> None:
        self._fd = -1
        # The end of a pipe that can be written alone becomes readable in one case:
        # when its other end closes.
        self._watched = self._is_watched(fd)
        if self._watched:
            loop.add_reader(fd, self._other_end_closed)
        else:
            loop.add_writer(fd, self._ready)  # which says whether the loop watches at all
            loop.remove_writer(fd)
        super().__init__(loop, fd, protocol)
        os.set_blocking(fd, False)

    @staticmethod
    def _is_watched(fd: int) -> bool:
        """Whether it is an end of a pipe, and can be written alone."""
        return (
            stat.S_ISFIFO(os.fstat(fd).st_mode)
            and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        )

    def write(self, data: Any) -> None:
        if self.is_closing() or not data:
            return
        if not self._buffer:
            try:
                sent = os.write(self._fd, data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as exception:
                self._end(exception)
                return
            if sent == len(data):
                return
            self._loop.add_writer(self._fd, self._ready)
            data = memoryview(data)[sent:]
        self._buffer += data
        self._check_high()

    def _ready(self) -> None:
        try:
            sent = os.write(self._fd, self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exception:
            self._end(exception)
            return
        del self._buffer[:sent]
        if not self._buffer:
            self._loop.remove_writer(self._fd)
            if self._flushing:
                self._end(None)
        self._check_low()

    def _other_end_closed(self) -> None:
        self._end(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) if self._buffer else None)

    def _stop(self) -> None:
        self._buffer.clear()
        self._loop.remove_writer(self._fd)
        if self._watched:
            self._loop.remove_reader(self._fd)


class _WatchedPipeWriter(_PipeWriter):
    """Writes to what `os.pipe` has made, and so need not ask what that is."""

    @staticmethod
    def _is_watched(fd: int) -> bool:
        return True


class _FileReader(_Descriptor, asyncio.ReadTransport):
    """
    Reads a file to its end.

    Each piece is read in the loop's executor, for a disk may be slow. A piece
    that comes after `pause_reading` waits for `resume_reading`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, protocol: Any) -> None:
        super().__init__(loop, fd, protocol)
        self._reading = True
        #: What is being read, or has come and waits.
        self._piece: asyncio.Future[bytes] | None = None
        loop.call_soon(self._next)

    def _next(self) -> None:
        if not self._reading or self._closing:
            return
        if self._piece is None:
            try:
                self._piece = self._loop.run_in_executor(None, os.read, self._fd, _READ)
            except RuntimeError as exception:  # the executor is shut down: the loop ends
                self._end(exception)
            else:
                self._piece.add_done_callback(self._came)
        elif self._piece.done():
            self._came(self._piece)

    def _came(self, piece: asyncio.Future[bytes]) -> None:
        if piece is not self._piece:
            return  # `_next` has been here before
        exception = asyncio.CancelledError() if piece.cancelled() else piece.exception()
        if self._closing:
            self._ended(None)
        elif self._reading:
            self._piece = None
            if exception is not None or not piece.result():
                self._end(exception)
            else:
                self._protocol.data_received(piece.result())
                self._next()

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not (self._reading or self._closing):
            self._reading = True
            self._loop.call_soon(self._next)

    def close(self) -> None:
        if self._piece is None or self._piece.done() or self._loop.is_closed():
            self._end(None)
        else:
            self._closing = True  # its number is in use until the piece has come


class _FileWriter(_Writer):
    """Writes a file there and then."""

    def write(self, data: Any) -> None:
        if self.is_closing():
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as exception:
            self._end(exception)
