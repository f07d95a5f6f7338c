"""
A base for things with a file descriptor that a reactor watches; and telling IP addresses.

asyncio's transports need none of it: TCP and its kin are elsewhere. It is for
what asyncio has no transport for, a serial line or a tunnel: a subclass says how
to read and to write, and has buffering, producers and closing from here.

States: not connected (the subclass sets `connected`) -> connected -> maybe the
writing half closed -> disconnecting (what is written still leaves) ->
disconnected.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

from zope.interface import implementer

from reactorlib.internet._current import current_reactor
from reactorlib.internet.defer import Deferred, fail, succeed
from reactorlib.internet.error import ConnectionLost
from reactorlib.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    ILoggingContext,
    IPushProducer,
    IReadWriteDescriptor,
    ITransport,
)
from reactorlib.internet.main import CONNECTION_DONE
from reactorlib.python.failure import Failure

__all__ = ["FileDescriptor", "isIPAddress", "isIPv6Address"]


@implementer(
    IPushProducer,
    IReadWriteDescriptor,
    IConsumer,
    ITransport,
    IHalfCloseableDescriptor,
    ILoggingContext,
)
class FileDescriptor:
    """
    A transport over a file descriptor.

    A subclass overrides `fileno`, `doRead` and `writeSomeData`, sets `connected`,
    and calls `startReading`. When its file is closed it calls `connectionLost`
    here.

    Args:
        reactor: what watches the file: an `IReactorFDSet`. By default the one
            that `reactor` stands for.

    Attributes:
        connected: whether bytes may flow.
        disconnecting: whether it closes when all that was written has left.
        disconnected: whether it is closed.
        dataBuffer, offset: the bytes being written, and how many of them have left.
        producer: what has been registered to write here, or None.
        streamingProducer: whether that is a push producer.
        producerPaused: whether it has been told to wait.
        bufferSize: with more bytes than this waiting, a push producer has to wait.
        SEND_LIMIT: with fewer bytes than this left in `dataBuffer`, what else
            waits is joined to it.
    """

    connected: bool | int = False
    disconnected: bool | int = False
    disconnecting: bool | int = False
    dataBuffer = b""
    offset = 0
    producer: Any = None
    producerPaused = False
    streamingProducer: bool | int = False
    bufferSize = 65536
    SEND_LIMIT = 128 * 1024

    # Subclasses of Twisted's class know these by name.
    _writeDisconnecting = False
    _writeDisconnected = False

    def __init__(self, reactor: Any = None) -> None:
        self.reactor = current_reactor() if reactor is None else reactor
        #: What waits behind `dataBuffer`, and how many bytes that is.
        self._pieces: list[bytes] = []
        self._waiting = 0
        self._draining: list[Deferred[None]] = []

    # -- for subclasses to override -------------------------------------------

    def fileno(self) -> int:
        """The number of the file; -1 when there is none."""
        return -1

    def doRead(self) -> Failure | Exception | None:
        """Read, and say what came; see `IReadDescriptor`."""
        raise NotImplementedError(f"{type(self).__qualname__} does not implement doRead")

    def writeSomeData(self, data: bytes | memoryview) -> int | Exception:
        """
        Write as much of `data` as is possible without waiting.

        Returns:
            how many bytes that was; or why the file is of no more use.
        """
        raise NotImplementedError(f"{type(self).__qualname__} does not implement writeSomeData")

    def getHost(self) -> Any:
        """Where this end is."""
        raise NotImplementedError(f"{type(self).__qualname__} does not implement getHost")

    def getPeer(self) -> Any:
        """Where the other end is."""
        raise NotImplementedError(f"{type(self).__qualname__} does not implement getPeer")

    def logPrefix(self) -> str:
        """What this is called in logs."""
        return "-"

    def _getLogPrefix(self, applicationObject: Any) -> str:
        """What an object, as the protocol, is called in logs."""
        if ILoggingContext.providedBy(applicationObject):
            return str(applicationObject.logPrefix())
        return type(applicationObject).__name__

    def _postLoseConnection(self) -> Any:
        """All that was written has left, and it is to be closed; what `doWrite` returns then."""
        return CONNECTION_DONE

    def _closeWriteConnection(self) -> Any:
        """All that was written has left, and the writing half is to be closed; the same."""

    def readConnectionLost(self, reason: Failure) -> None:
        """Nothing more will come: by default, the end of both directions."""
        self.connectionLost(reason)

    def writeConnectionLost(self, reason: Failure) -> None:
        """Nothing more can be written: by default, the end of both directions."""
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure) -> None:
        """It is over. A subclass cleans up, and calls this."""
        self.disconnected = True
        self.connected = False
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self.stopReading()
        self.stopWriting()
        draining, self._draining = self._draining, []
        for waiting in draining:
            waiting.errback(reason)

    # -- writing --------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """
        Write `data`, in order, as soon as there is room; dropped if it is closed.

        Raises:
            TypeError: it is not bytes.
        """
        self.writeSequence((data,))

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """
        Write several pieces, one after another.

        Raises:
            TypeError: one of them is not bytes; then none is written.
        """
        pieces = list(iovec)
        for piece in pieces:
            if not isinstance(piece, bytes):
                raise TypeError(f"a transport takes bytes, not {type(piece).__name__}")
        size = sum(map(len, pieces))
        if not self.connected or self._writeDisconnected or not size:
            return
        self._pieces += pieces
        self._waiting += size
        if self._is_full() and self.producer is not None and self.streamingProducer:
            self.producerPaused = True
            self.producer.pauseProducing()
        self.startWriting()

    def _is_full(self) -> bool:
        return len(self.dataBuffer) - self.offset + self._waiting > self.bufferSize

    def drain(self) -> Deferred[None]:
        """
        Wait until enough has left to write more.

        Returns:
            a Deferred that fires with None, at once while no more than
            `bufferSize` waits; it fails as `connectionLost` does if that comes
            first.
        """
        if self.disconnected:
            return fail(ConnectionLost("it is closed already"))
        if not self._is_full():
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._draining.remove)
        self._draining.append(waiting)
        return waiting

    def doWrite(self) -> Any:
        """
        There is room: write.

        Returns:
            None; or why the file is of no more use.
        """
        if self._pieces and len(self.dataBuffer) - self.offset < self.SEND_LIMIT:
            rest = memoryview(self.dataBuffer)[self.offset :]
            self.dataBuffer = b"".join([rest, *self._pieces])
            self.offset = 0
            self._pieces = []
            self._waiting = 0
        data = self.dataBuffer
        sent = self.writeSomeData(memoryview(data)[self.offset :] if self.offset else data)
        if isinstance(sent, Exception) or sent < 0:
            return sent
        self.offset += sent
        if self._draining and not self._is_full():
            draining, self._draining = self._draining, []
            for waiting in draining:
                waiting.callback(None)
        if self.offset < len(data) or self._pieces:
            return None
        self.dataBuffer = b""
        self.offset = 0
        self.stopWriting()
        return self._all_written()

    def _all_written(self) -> Any:
        """All that was written has left: what has waited for that."""
        if self.producer is not None and (self.producerPaused or not self.streamingProducer):
            self.producerPaused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            return self._postLoseConnection()
        elif self._writeDisconnecting:
            # Set before the call, in which loseConnection() asks for it.
            self._writeDisconnected = True
            return self._closeWriteConnection()
        return None

    # -- closing --------------------------------------------------------------

    def loseConnection(self) -> None:
        """Close once all that was written has left, and the producer, if any, is done."""
        if not self.connected or self.disconnecting:
            return
        self.stopReading()
        if self._writeDisconnected:
            # Nothing will be written any more, so nothing else would close it.
            self.stopWriting()
            self.connectionLost(Failure(CONNECTION_DONE))
        else:
            self.startWriting()
            self.disconnecting = True

    def loseWriteConnection(self) -> None:
        """Close the writing half once all that was written has left."""
        self._writeDisconnecting = True
        self.startWriting()

    # -- being watched --------------------------------------------------------

    def startReading(self) -> None:
        """Have `doRead` called when there is something to read."""
        self.reactor.addReader(self)

    def stopReading(self) -> None:
        """Have `doRead` called no more."""
        self.reactor.removeReader(self)

    def startWriting(self) -> None:
        """Have `doWrite` called when there is room."""
        self.reactor.addWriter(self)

    def stopWriting(self) -> None:
        """Have `doWrite` called no more."""
        self.reactor.removeWriter(self)

    # -- as a consumer --------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Let `producer` know when to write; see `IConsumer`.

        If it is closed already, the producer is stopped at once.

        Raises:
            RuntimeError: another one is registered.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"cannot register the producer {producer!r}: {self.producer!r} is registered, "
                "and has to be unregistered first"
            )
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """The producer is done."""
        self.producer = None
        if self.connected and self.disconnecting:
            self.startWriting()  # which closes it in the end

    def stopConsuming(self) -> None:
        """Let the producer go, and close."""
        self.unregisterProducer()
        self.loseConnection()

    # -- as a producer --------------------------------------------------------

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`."""
        self.stopReading()

    def resumeProducing(self) -> None:
        """Read on."""
        if self.connected and not self.disconnecting:
            self.startReading()

    def stopProducing(self) -> None:
        """Close, as `loseConnection`."""
        self.loseConnection()


def isIPAddress(addr: str | bytes, family: int = socket.AF_INET) -> bool:
    """
    Whether a text is an IP address, and not a name.

    Args:
        family: `AF_INET` for IPv4, with all four numbers; `AF_INET6` for IPv6,
            maybe with a scope (`%eth0`).

    Raises:
        ValueError: the family is neither.
    """
    if isinstance(addr, bytes):
        try:
            addr = addr.decode("ascii")
        except UnicodeDecodeError:
            return False
    if family == socket.AF_INET6:
        addr = addr.partition("%")[0]
    elif family != socket.AF_INET:
        raise ValueError(f"an IP address is of the family AF_INET or AF_INET6, not {family!r}")
    elif addr.count(".") != 3:
        return False  # some systems take fewer numbers
    try:
        socket.inet_pton(family, addr)
    except (ValueError, OSError):
        return False
    return True


def isIPv6Address(addr: str | bytes) -> bool:
    """Whether a text is an IPv6 address, maybe with a scope (`%eth0`)."""
    return isIPAddress(addr, socket.AF_INET6)
