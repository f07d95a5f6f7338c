"""
Our ends of a process's pipes, or of standard input and output, as Twisted has them.

A `ReadEnd` and a `WriteEnd` are the asyncio protocols of a transport (see
`_pipe_transport`), and are there before it is: until a loop runs, what is
written waits, and nothing is read. Their owner is told of what comes in, and,
once, of the end; always in the context in which the owner was made.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterable
from typing import Any

from reactorlib.internet import error
from reactorlib.internet._flow import Flow
from reactorlib.internet._pipe_transport import open_reader, open_writer
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.python._report import report
from reactorlib.python.failure import Failure, failure_of

__all__ = ["ReadEnd", "TwoEnds", "WriteEnd"]

_log = logging.getLogger("reactorlib.internet.process")

_Lost = Callable[[Failure], object]


class _End(asyncio.BaseProtocol):
    """
    What both have.

    States: early (no transport) -> open -> closing -> lost.
    """

    def __init__(
        self, fd: int, context: contextvars.Context, lost: _Lost, piped: bool = False
    ) -> None:
        self._fd = fd
        self._piped = piped
        self._context = context
        self._on_lost = lost
        self._transport: Any = None
        #: Why it was ended, if that is known before it has ended.
        self._reason: Failure | None = None
        self.closing = False
        self.lost = False

    def connection_lost(self, exc: BaseException | None) -> None:
        if not self.lost:
            self.lost = self.closing = True
            self._context.run(self._is_lost, self._reason or failure_of(_why(exc), None))

    def _is_lost(self, reason: Failure) -> None:
        self._on_lost(reason)

    def __repr__(self) -> str:
        state = "lost" if self.lost else "closing" if self.closing else "open"
        return f"<{self.__class__.__name__} of {self._fd}, {state}>"


class ReadEnd(_End, asyncio.Protocol):
    """
    What is read from.

    Args:
        fd: its number, which is this object's to close.
        context: where callbacks run.
        data: called with each piece. What it raises is reported, and ends this end.
        lost: called once, with the reason.
        piped: whether `fd` is known to be of a pipe.
    """

    def __init__(
        self,
        fd: int,
        context: contextvars.Context,
        data: Callable[[bytes], object],
        lost: _Lost,
        piped: bool = False,
    ) -> None:
        super().__init__(fd, context, lost, piped)
        self._on_data = data
        self._paused = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to read."""
        open_reader(loop, self._fd, self, self._piped)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        if self.closing:
            self._transport.close()
        elif self._paused:
            self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        try:
            self._context.run(self._on_data, data)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._reason = Failure(exception)
            report(_log, "childDataReceived() failed; what it came from is closed", self._reason)
            self.close()

    def pause(self) -> None:
        """Read no more until `resume`."""
        self._paused = True
        if self._transport is not None and not self.closing:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._paused = False
        if self._transport is not None and not self.closing:
            self._transport.resume_reading()

    def close(self) -> None:
        """Read no more; the end follows, later."""
        if not self.closing:
            self.closing = True
            if self._transport is not None:
                self._transport.close()

    def abort(self, reason: Failure | None = None) -> None:
        """Read no more; `reason` is what the owner is told, if it is given."""
        self._reason = reason or self._reason
        self.close()


class _Waiting:
    """Stands in for a transport: keeps what is written until there is one."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.ended_by: str | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        self.ended_by = self.ended_by or "close"

    def abort(self) -> None:
        self.ended_by = "abort"


class WriteEnd(_End):
    """
    What is written to.

    Args:
        fd: its number, which is this object's to close.
        context: where callbacks run.
        lost: called once, with the reason.
        piped: whether `fd` is known to be of a pipe.
    """

    def __init__(
        self, fd: int, context: contextvars.Context, lost: _Lost, piped: bool = False
    ) -> None:
        super().__init__(fd, context, lost, piped)
        self._transport = _Waiting()
        self._send: Callable[[bytes], object] = self._transport.write
        #: Whether whoever writes much is to wait, as is so until there is a transport.
        self._choked = True
        self._loop: Any = None
        self._flow = Flow(self)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to write."""
        self._loop = loop
        open_writer(loop, self._fd, self, self._piped)

    # -- what asyncio calls ---------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        waiting, self._transport = self._transport, transport
        if self._send == waiting.write:
            self._send = self._transport.write
        self._choked = False
        for data in waiting.written:
            self._transport.write(data)
        if waiting.ended_by is not None:
            getattr(self._transport, waiting.ended_by)()
        elif not self._choked:
            self._flow.flow()

    def pause_writing(self) -> None:
        self._choked = True
        self._flow.choke()

    def resume_writing(self) -> None:
        self._choked = False
        self._flow.flow()

    def _is_lost(self, reason: Failure) -> None:
        self._reason = reason
        self._send = _discard
        self._flow.lost(reason)
        super()._is_lost(reason)

    # -- what the flow calls --------------------------------------------------

    def _stop_pulling(self) -> None:
        if not self.lost:
            self._send = self._transport.write

    def _fail(self, message: str, exception: BaseException) -> None:
        self._reason = Failure(exception)
        report(_log, f"{message}; what it wrote to is closed", self._reason)
        self.abort()

    # -- what the owner calls -------------------------------------------------

    def write(self, data: bytes) -> None:
        """
        Write `data`, in order, never waiting; drop it if this end is closing or lost.

        Raises:
            TypeError: it is not bytes.
        """
        if isinstance(data, str):
            raise TypeError(f"a pipe carries bytes, not text: encode {data[:40]!r} first")
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a pipe carries bytes, not {type(data).__name__}")
        self._send(bytes(data))
        if not self._choked and self._transport.is_closing():
            # It has failed, and the end follows. Until then, a producer that writes
            # as long as it is not paused would write for ever.
            self._send = _discard
            self.pause_writing()

    def write_sequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces as one."""
        self.write(b"".join(data))

    def drain(self) -> Deferred[None]:
        """A Deferred for when there is room to write; it fails if this end is lost first."""
        if self.lost:
            assert self._reason is not None
            return fail(self._reason)
        return self._flow.drain() if self._choked else succeed(None)

    def register(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write."""
        if self.closing and self._flow.producer is None:
            producer.stopProducing()
        else:
            self._flow.register(producer, streaming)

    def unregister(self) -> None:
        """Forget the producer; close, if that has waited for it."""
        if self._flow.producer is not None:
            self._flow.unregister()
            if self.closing and not self.lost:
                self._close()

    def close(self) -> None:
        """Close once everything has left; a producer may still write until it is unregistered."""
        if not self.closing:
            self.closing = True
            if self._flow.producer is None:
                self._close()

    def _close(self) -> None:
        self._send = _discard
        self._transport.close()

    def overrun(self) -> bool:
        """Whether it is full and nothing waits that knows of it: no producer."""
        return self._choked and not self.lost and self._flow.producer is None

    def abort(self, reason: Failure | None = None) -> None:
        """Close now, and drop what has not left; `reason` is told as why, if it is given."""
        self._reason = reason or self._reason
        self.closing = True
        self._send = _discard
        if not self.lost:
            self._transport.abort()


class TwoEnds:
    """
    What a transport has that reads from one end and writes to another; either may be lost.
    """

    _reader: ReadEnd | None
    _writer: WriteEnd | None
    #: Why there is nothing to write to any more, if that is known.
    _reason: Failure | None = None

    def loseConnection(self) -> None:
        """Close."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """
        Write `data`, in order, never waiting. Once the end is closed it is dropped.

        Raises:
            TypeError: it is not bytes.
        """
        if self._writer is not None:
            self._writer.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Write several pieces as one."""
        self.write(b"".join(data))

    def drain(self) -> Deferred[None]:
        """
        Wait until there is room to write more.

        Returns:
            a Deferred that fires with None; it fails if what is written to is lost first.
        """
        if self._writer is None:
            return fail(self._reason or Failure(error.ConnectionDone()))
        return self._writer.drain()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` know when to write; see `IConsumer`."""
        if self._writer is None:
            producer.stopProducing()
        else:
            self._writer.register(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        if self._writer is not None:
            self._writer.unregister()

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`."""
        if self._reader is not None:
            self._reader.pause()

    def resumeProducing(self) -> None:
        """Read on."""
        if self._reader is not None:
            self._reader.resume()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()


def _discard(data: bytes) -> None:
    """What sends once this end is being closed."""


def _why(exc: BaseException | None) -> BaseException:
    if exc is None:
        return error.ConnectionDone()
    lost = error.ConnectionLost(str(exc)) if str(exc) else error.ConnectionLost()
    lost.__cause__ = exc
    return lost
