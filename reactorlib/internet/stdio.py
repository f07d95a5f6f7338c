"""
Standard input and output as a transport.

Each may be a pipe, a terminal, a socket or a file. They are used through
duplicates, so that 0 and 1 stay what they are: whoever started this process, or
prints beside the protocol, finds them open. For the same reason it is put back
at the end whether reads and writes on them wait: a shell shares the terminal.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet import reactor as the_reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet._pipe_ends import ReadEnd, TwoEnds, WriteEnd
from reactorlib.internet._second_names import ReadingNames
from reactorlib.internet.interfaces import (
    IAddress,
    IConsumer,
    IDrainable,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["PipeAddress", "StandardIO"]

_log = logging.getLogger("reactorlib.internet.stdio")


@implementer(IAddress)
class PipeAddress:
    """Where standard input comes from, and output goes to: nothing is known of it."""

    def __repr__(self) -> str:
        return "PipeAddress()"


@implementer(ITransport, IConsumer, IPushProducer, IDrainable)
class StandardIO(ReadingNames, TwoEnds):
    """
    A connection with whoever is at the other end of standard input and output.

    When input ends, what is written still leaves, and the connection is lost. A
    protocol that provides `IHalfCloseableProtocol` has its `readConnectionLost`
    called instead, and the connection goes on; when output breaks, its
    `writeConnectionLost`. Other protocols do not hear of that: what they write
    is dropped.

    Args:
        proto: the protocol, whose `makeConnection` is called at once.
        stdin: the descriptor to read from.
        stdout: the descriptor to write to.
        reactor: whose loop reads and writes; None for that of the loop that runs.

    Attributes:
        protocol: as given; it may be exchanged at any time.
        disconnecting: whether this side has begun to close.
        disconnected: whether the protocol has been told that the connection is lost.

    Raises:
        OSError: one of the descriptors is not open.
    """

    def __init__(self, proto: Any, stdin: int = 0, stdout: int = 1, reactor: Any = None) -> None:
        if reactor is None or reactor is the_reactor:
            reactor = current_reactor()
        self.protocol = proto
        self.disconnecting = False
        self.disconnected = False
        self._reactor = reactor
        self._context = contextvars.copy_context()
        self._paused = False
        #: Whether reading waits until the other side has taken the answers to what it has sent.
        self._held_back = False
        #: Whether something has been written while the last read was handled.
        self._answered = False
        self._aborted = False
        # Called at the end of the process, if nothing ends before.
        self._put_back = weakref.finalize(self, _Descriptors(stdin, stdout).put_back)
        reading, writing = os.dup(stdin), os.dup(stdout)
        self._reader: ReadEnd | None = ReadEnd(reading, self._context, self._data, self._read_lost)
        self._writer: WriteEnd | None = WriteEnd(writing, self._context, self._write_lost)
        reactor._held.add(self)
        reactor._when_looping(self._attach)
        try:
            proto.makeConnection(self)
        except BaseException:
            self._over()
            raise

    def _attach(self, loop: asyncio.AbstractEventLoop) -> None:
        # Writing first: what is read is answered.
        for end in (self._writer, self._reader):
            if end is not None:
                end.attach(loop)

    # -- what comes in --------------------------------------------------------

    def _data(self, data: bytes) -> None:
        if not (self.disconnecting or self.disconnected):
            self._answered = False
            self._tell(lambda: self.protocol.dataReceived(data), "dataReceived")
            writer = self._writer
            if self._answered and writer is not None and writer.overrun():
                self._hold_back(writer)

    def _hold_back(self, writer: WriteEnd) -> None:
        """The other side is answered while it does not take the answers: read no more for now."""

        def go_on(_: object) -> None:
            self._held_back = False
            self._read_on()

        if not self._held_back:
            self._held_back = True
            super().pauseProducing()
            writer.drain().addBoth(go_on)

    def _tell(self, call: Callable[[], object], what: str) -> None:
        """Tell the protocol; what it raises costs it the connection."""
        try:
            call()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            failure = Failure(exception)
            report(_log, f"{what}() failed; the connection is dropped", failure)
            self._lost(failure)

    def _read_lost(self, reason: Failure) -> None:
        self._reader = None
        if self.disconnected:
            return
        if not self.disconnecting and IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell(self.protocol.readConnectionLost, "readConnectionLost")
            self._see_whether_over(reason)
        elif self._writer is None:
            self._lost(reason)
        else:
            self._reason = self._reason or reason
            self.disconnecting = True
            self._writer.close()

    def _write_lost(self, reason: Failure) -> None:
        self._writer = None
        if self.disconnected:
            return
        if not reason.check(error.ConnectionClosed):
            self._lost(reason)  # an error in a producer
        elif self.disconnecting:
            self._lost(self._reason or reason)
        elif IHalfCloseableProtocol.providedBy(self.protocol):
            self._tell(self.protocol.writeConnectionLost, "writeConnectionLost")
            self._see_whether_over(reason)

    def _see_whether_over(self, reason: Failure) -> None:
        if self._reader is None and self._writer is None:
            self._lost(reason)

    def _lost(self, reason: Failure) -> None:
        if self.disconnected:
            return
        self._reason = reason
        self._over(reason)
        protocol, self.protocol = self.protocol, None
        try:
            protocol.connectionLost(reason)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            report(_log, "connectionLost() failed", Failure(exception), protocol=protocol)

    def _over(self, reason: Failure | None = None) -> None:
        """Nothing is read or written any more."""
        self.disconnecting = self.disconnected = True
        self._reactor._held.discard(self)
        for end in (self._reader, self._writer):
            if end is not None:
                end.abort(reason)
        self._put_back()

    def abandon(self) -> None:
        """The reactor ends: so does this connection, in no orderly way."""
        self._context.copy().run(self._lost, Failure(error.ConnectionLost("the reactor shut down")))

    # -- what the protocol calls ----------------------------------------------

    def write(self, data: bytes) -> None:
        """
        Write `data`, in order, never waiting. Once output is closed it is dropped.

        Raises:
            TypeError: it is not bytes.
        """
        self._answered = True
        super().write(data)

    def loseConnection(self) -> None:
        """Read no more, and close once everything written has left. `connectionLost` follows."""
        if self.disconnecting:
            return
        self.disconnecting = True
        if self._reader is not None:
            self._reader.pause()
        if self._writer is not None:
            self._writer.close()
        else:
            self._lose_soon(Failure(error.ConnectionDone()))

    def abortConnection(self) -> None:
        """Close now, and drop what has not left. `connectionLost` follows, later."""
        if self.disconnected or self._aborted:
            return
        self._aborted = self.disconnecting = True
        self._reason = Failure(error.ConnectionAborted())
        for end in (self._reader, self._writer):
            if end is not None:
                end.abort(self._reason)
        self._lose_soon(self._reason)

    def _lose_soon(self, reason: Failure) -> None:
        context = self._context.copy()
        self._reactor._when_looping(
            lambda loop: loop.call_soon(self._lost, reason, context=context)
        )

    def loseWriteConnection(self) -> None:
        """
        Write no more, once everything written has left, and read on.

        The descriptor itself stays open: the other end sees no end before this
        process has ended, or has closed it.
        """
        if self._writer is not None:
            self._writer.close()

    def getPeer(self) -> PipeAddress:
        """Where input comes from, as far as that is known."""
        return PipeAddress()

    def getHost(self) -> PipeAddress:
        """Where output goes to, as far as that is known."""
        return PipeAddress()

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`."""
        self._paused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """Read on."""
        self._paused = False
        self._read_on()

    def _read_on(self) -> None:
        if not (self._paused or self._held_back or self.disconnecting):
            super().resumeProducing()


class _Descriptors:
    """How some descriptors were found, to leave them so. Their numbers may be others' by then."""

    def __init__(self, *fds: int) -> None:
        self._found = [(fd, os.get_blocking(fd), os.fstat(fd)) for fd in fds]

    def put_back(self) -> None:
        """Let reads and writes on them wait, or not, as before."""
        for fd, blocking, found in self._found:
            try:
                if os.path.samestat(os.fstat(fd), found):
                    os.set_blocking(fd, blocking)
            except OSError:
                pass  # it has been closed
