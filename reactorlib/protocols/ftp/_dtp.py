"""The data connection, at the server: what makes one, and what goes through it."""

from __future__ import annotations

import os
import time
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import Deferred
from reactorlib.internet.interfaces import IConsumer, IPushProducer
from reactorlib.internet.protocol import ClientFactory, Protocol, connectionDone
from reactorlib.protocols.ftp._address import same_host
from reactorlib.protocols.ftp._errors import PortConnectionError
from reactorlib.protocols.ftp._listing import list_line
from reactorlib.protocols.policies import TimeoutMixin
from reactorlib.python.failure import Failure

__all__ = ["DTP", "ASCIIConsumerWrapper", "DTPFactory", "LocalLines"]

# What a client may send before it has said where to.
_MAX_EARLY = 1 << 16


class ASCIIConsumerWrapper:
    """
    Turns this system's line ends into CRLF on the way to a consumer.

    Args:
        cons: the consumer; it has the producer, too.
    """

    def __init__(self, cons: Any) -> None:
        self.cons = cons
        self.registerProducer = cons.registerProducer
        self.unregisterProducer = cons.unregisterProducer

    def write(self, bytes: bytes) -> None:
        """Write lines."""
        if os.linesep != "\r\n":
            bytes = bytes.replace(b"\n", b"\r\n")
        self.cons.write(bytes)


class LocalLines:
    """Turns CRLF into a line feed on the way to a consumer."""

    def __init__(self, cons: Any) -> None:
        self._cons = cons
        self._held = b""
        self.registerProducer = cons.registerProducer

    def write(self, data: bytes) -> None:
        data = (self._held + data).replace(b"\r\n", b"\n")
        # The line feed of the last carriage return may be still to come.
        self._held = b"\r" if data.endswith(b"\r") else b""
        self._cons.write(data[: len(data) - len(self._held)])

    def unregisterProducer(self) -> None:
        if self._held:
            self._cons.write(self._held)
        self._cons.unregisterProducer()


@implementer(IConsumer, IPushProducer)
class DTP(Protocol, TimeoutMixin):
    """
    One data connection.

    It is a consumer of what is to be sent, and the producer of what comes in.

    Attributes:
        isConnected: whether the connection is there.
        pi: the `FTP` whose it is.
    """

    isConnected = False
    pi: Any = None

    def __init__(self) -> None:
        self._cons: Any = None
        self._done: Deferred[None] | None = None
        self._early: list[bytes] = []
        self._failure: Failure | None = None
        #: Fires when the connection is gone.
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """The connection is there."""
        self.isConnected = True
        self.setTimeout(getattr(self.pi, "transferTimeout", None))
        self.factory.deferred.callback(None)

    def connectionLost(self, reason: Any = connectionDone) -> None:
        """The connection is gone, and with it the transfer has ended."""
        self.setTimeout(None)
        self.isConnected = False
        if isinstance(reason, Failure) and not reason.check(error.ConnectionDone):
            self._failure = self._failure or reason
        done, self._done = self._done, None
        try:
            if done is not None:
                self._end(done)
        finally:
            if not self.gone.called:
                self.gone.callback(None)

    def _end(self, done: Deferred[None]) -> None:
        cons, self._cons = self._cons, None
        try:
            cons.unregisterProducer()
        except Exception:
            self._failure = self._failure or Failure()
        if done.called:
            return  # it was cancelled
        if self._failure is None:
            done.callback(None)
        else:
            done.errback(self._failure)

    def timeoutConnection(self) -> None:
        """Nothing went through it for too long."""
        self.abort()

    def abort(self) -> None:
        """Close it at once."""
        if self.isConnected and self.transport is not None:
            self.transport.abortConnection()

    # What is sent.

    def sendLine(self, line: bytes) -> None:
        """Send a line, and its end."""
        self.write(line + b"\r\n")

    def sendListResponse(self, name: Any, response: Any) -> None:
        """Send the line of a listing; `response` are the facts in the order of `LIST_KEYS`."""
        self.sendLine(list_line(printable(name), time.time(), *response))

    def write(self, data: bytes) -> None:
        """Send, if the connection is there."""
        self.resetTimeout()
        if self.isConnected:
            self.transport.write(data)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have the transport ask that producer for more."""
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """All was given: close when it has left."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    # What comes in.

    def registerConsumer(self, cons: Any) -> Deferred[None]:
        """
        Give all that comes in to a consumer, and to it alone.

        Returns:
            a Deferred that fires when all is there, and fails if the connection
            broke or the consumer did.
        """
        if self._cons is not None:
            raise RuntimeError("a data connection has one consumer")
        self._cons = cons
        cons.registerProducer(self, True)
        early, self._early = self._early, []
        for chunk in early:
            self._pass_on(chunk)
        if self.isConnected:
            done: Deferred[None] = Deferred(lambda _: self.abort())
            self._done = done
            if self.transport is not None:
                self.transport.resumeProducing()
            return done
        finished: Deferred[None] = Deferred()
        self._end(finished)
        return finished

    def dataReceived(self, data: bytes) -> None:
        """Something came in."""
        self.resetTimeout()
        if self._cons is not None:
            self._pass_on(data)
            return
        self._early.append(data)
        if sum(map(len, self._early)) >= _MAX_EARLY:
            self.transport.pauseProducing()

    def _pass_on(self, data: bytes) -> None:
        if self._failure is not None:
            return
        try:
            self._cons.write(data)
        except Exception:
            self._failure = Failure()
            self.abort()

    def pauseProducing(self) -> None:
        """Let the client wait."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Take more."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """Take no more."""
        self.transport.stopProducing()


def printable(name: Any) -> bytes:
    """A file's name as bytes for a line of its own: a line end in it becomes a question mark."""
    data = name if isinstance(name, bytes) else str(name).encode("utf-8", "surrogateescape")
    return data.replace(b"\r", b"?").replace(b"\n", b"?")


class DTPFactory(ClientFactory[DTP]):
    """
    Makes the one data connection of a transfer, whichever side connects.

    Args:
        pi: the `FTP` whose it is.
        peerHost: the host of the other end.
        reactor: the clock of the time limit.

    Attributes:
        deferred: fires when the connection is there; fails with
            `PortConnectionError`.
        peerCheck: whether a connection from any other host than `peerHost` is
            refused. RFC 2577 section 2.
    """

    noisy = False
    peerCheck = True

    def __init__(self, pi: Any, peerHost: str | None = None, reactor: Any = None) -> None:
        self.pi = pi
        self.peerHost = peerHost
        self.deferred: Deferred[None] = Deferred()
        self._reactor = _reactor if reactor is None else reactor
        self._call: Any = None
        self._over = False

    def buildProtocol(self, addr: Any) -> DTP | None:
        """The connection's protocol, the first time."""
        if self._over:
            return None
        if self.peerCheck and self.peerHost is not None and not same_host(addr.host, self.peerHost):
            return None
        self._over = True
        self.cancelTimeout()
        connection = DTP()
        connection.factory = self
        connection.pi = self.pi
        self.pi.dtpInstance = connection
        return connection

    def _fail(self, why: Any) -> None:
        if not self._over:
            self._over = True
            self.cancelTimeout()
            if not self.deferred.called:
                self.deferred.errback(PortConnectionError(why))

    def stopFactory(self) -> None:
        """There will be no connection any more."""
        self.cancelTimeout()

    def timeoutFactory(self) -> None:
        """It takes too long."""
        self._fail("there was no data connection in time")

    def cancelTimeout(self) -> None:
        """There is no limit to the time any more."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()

    def setTimeout(self, seconds: float) -> None:
        """Give up after so many seconds."""
        self.cancelTimeout()
        self._call = self._reactor.callLater(seconds, self.timeoutFactory)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        """The client's port does not answer."""
        self._fail(reason)
