"""
TLS over any transport.

A `TLSMemoryBIOProtocol` is a protocol to the transport below, which carries the
ciphertext, and a transport to the protocol it wraps. So TLS can run over whatever
is a transport: a connection, a pipe, something in memory, TLS itself.

    options = optionsForClientTLS("example.com")
    endpoint.connect(TLSMemoryBIOFactory(options, True, factory))

(Over TCP `listenSSL`, `connectSSL` and `startTLS` do the same with less work.)

What is written during one turn of the reactor is encrypted together at its end,
and what is written while something is received, right after that: small writes
share a record.

The wrapped protocol is connected before the handshake, as everywhere in Twisted.
States: handshake (what is written waits) -> open -> closing (`loseConnection`: our
close_notify is sent, and the peer's awaited) -> lost. The ways to the end:

    loseConnection, or the peer's close_notify    both are sent; ConnectionDone
    the transport ends without a close_notify     ConnectionLost
    TLS fails                                     an alert is sent; ssl.SSLError
    abortConnection                               ConnectionAborted

and the transport below has a say too: its own reason counts, if that is not
`ConnectionDone`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from zope.interface import classImplements, directlyProvides, providedBy

from reactorlib.internet._tls._settings import check_settings, engine_for
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import (
    IHandshakeListener,
    ILoggingContext,
    INegotiated,
    ISystemHandle,
    ITLSTransport,
)
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.internet.ssl import Certificate
from reactorlib.protocols._tls_producers import ProducerMembrane as _ProducerMembrane
from reactorlib.protocols._tls_producers import PullToPush as _PullToPush
from reactorlib.protocols.policies import ProtocolWrapper, WrappingFactory
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine

__all__ = ["BufferingTLSTransport", "TLSMemoryBIOFactory", "TLSMemoryBIOProtocol"]

#: How many bytes may wait for the end of a turn: as in Twisted.
_ENOUGH = 64_000


class TLSMemoryBIOProtocol(ProtocolWrapper):
    """
    TLS, between a transport and the protocol that it wraps.

    It provides whatever interfaces the transport does, and `INegotiated`.

    Args:
        factory: the TLSMemoryBIOFactory, which has the settings.
        wrappedProtocol: who speaks over TLS. If it provides `IHandshakeListener`,
            it is told when the handshake is done.
        _connectWrapped: whether it is to be connected; not if it has been, over
            the same transport without TLS.
    """

    _engine: TLSEngine | None = None
    _producer: _ProducerMembrane | None = None
    #: Why the connection is lost, if TLS knows it.
    _reason: Failure | None = None
    _handshaken = False
    _aborted = False
    #: TLS is over, and the transport has been told to close.
    _ended = False
    #: What is written now leaves when whatever goes on returns.
    _busy = False
    _sending = False
    _paused = False

    def __init__(self, factory: Any, wrappedProtocol: Any, _connectWrapped: bool = True) -> None:
        super().__init__(factory, wrappedProtocol)
        self._connectWrapped = _connectWrapped
        self._written = 0  # bytes since something was sent
        self._flush: Any = None  # the call that will send
        self._unread = b""  # plaintext that came while paused
        self._draining: list[Deferred[None]] = []

    # -- the protocol of the transport below ----------------------------------

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, connect the wrapped protocol, and begin the handshake."""
        self._engine = self.factory._make_engine(self)
        directlyProvides(self, [each for each in providedBy(transport) if each != ITLSTransport])
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        if self._connectWrapped:
            self.wrappedProtocol.makeConnection(self)
        self._send()

    def dataReceived(self, data: bytes) -> None:
        """Ciphertext came in."""
        engine = self._engine
        if engine is None or engine.finished or self._aborted:
            return
        plaintext = engine.receive(data)
        self._busy = True
        try:
            if engine.handshake_done and not self._handshaken:
                self._shake()
            if self._paused or self._unread:
                self._unread += plaintext
            elif plaintext and not self._aborted:
                self.wrappedProtocol.dataReceived(plaintext)
        finally:
            self._busy = False
        self._send()
        if engine.finished and not self._unread:
            self._end()

    def _shake(self) -> None:
        """The handshake is done."""
        self._handshaken = True
        if IHandshakeListener.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.handshakeCompleted()
        if self._paused and not self._aborted:
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport below is gone."""
        engine = self._engine
        if engine is not None and not (self._ended or self._aborted):
            engine.eof()
            if reason.check(ConnectionDone):
                self._explain(engine)
        self._ended = True
        try:
            if self._unread:
                unread, self._unread = self._unread, b""
                self._deliver_kept(unread)
        finally:
            self._is_lost(self._reason or reason)

    def _is_lost(self, reason: Failure) -> None:
        """Everybody who waits for the connection hears of its end, whatever others raise."""
        self._reason = None
        self.connected = 0
        self._stop_flush()
        try:
            self._stop_producer()
        finally:
            while self._draining:
                self._draining.pop().errback(reason)
            super().connectionLost(reason)

    # -- sending --------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """
        Encrypt and send `data`, in order, as soon as the handshake is done.

        After `loseConnection`, data is dropped, unless a producer is registered.

        Raises:
            TypeError: `data` is text, or anything else that is not bytes.
        """
        if type(data) is not bytes:
            data = bytes(memoryview(data))
        engine = self._engine
        if (
            engine is None
            or self._ended
            or self._aborted
            or (self.disconnecting and self._producer is None)
        ):
            return
        engine.write(data)
        if not self._handshaken:
            if self._producer is not None:
                self._producer.hold(True)
            return
        self._written += len(data)
        if self._written > _ENOUGH:
            self._send()
        elif not self._busy and self._flush is None:
            self._flush = self.factory._clock.callLater(0, self._flush_now)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(data))

    def _flush_now(self) -> None:
        self._flush = None
        self._send()

    def _stop_flush(self) -> None:
        flush, self._flush = self._flush, None
        if flush is not None:
            flush.cancel()

    def _send(self) -> None:
        """Encrypt and hand over all that can be."""
        engine = self._engine
        if engine is None or self._sending:
            return
        self._sending = True
        try:
            while not self._aborted and (data := engine.take()):
                self.transport.write(data)
        finally:
            self._sending = False
        self._written = 0
        if self._handshaken and not engine.waiting:
            if self._producer is not None:
                self._producer.hold(False)
            while self._draining:
                self._draining.pop().callback(None)
        if engine.error is not None:
            self._end()

    def drain(self) -> Deferred[None]:
        """
        Wait until more can be written without piling up.

        Returns:
            a Deferred that fires when the handshake is done and the transport below
            has drained. It fails with the reason if the connection is lost first.
        """
        self._send()
        if self._handshaken or self._ended:
            drained: Deferred[None] = self.transport.drain()
            return drained
        d: Deferred[None] = Deferred(self._draining.remove)
        self._draining.append(d)
        return d.addCallback(lambda _: self.transport.drain())

    # -- the end --------------------------------------------------------------

    def loseConnection(self) -> None:
        """
        Close in an orderly way: send what is written and a close_notify, await the
        peer's, then close the transport.

        With a producer, wait for it to be unregistered first. A peer that never
        answers is waited for until `abortConnection`. If the handshake is not done,
        and nothing waits for it, abort.
        """
        if not self.disconnecting and self.connected:
            self.disconnecting = True
            if self._producer is None:
                self._close()

    def _close(self) -> None:
        engine = self._engine
        assert engine is not None
        if not (self._handshaken or engine.waiting):
            self.abortConnection()
        else:
            engine.close()
            self._send()

    def abortConnection(self) -> None:
        """Close the transport now: what has not been sent is dropped."""
        if self.connected and not self._aborted:
            self._aborted = True
            self.disconnecting = True
            self._unread = b""
            self._stop_flush()
            abort = getattr(self.transport, "abortConnection", None)
            (self.transport.loseConnection if abort is None else abort)()

    def failVerification(self, reason: Failure) -> None:
        """Abort, since the peer is not who it should be; `connectionLost` gets `reason`."""
        self._reason = reason
        self.abortConnection()

    def _end(self) -> None:
        """TLS is over, by the peer's close_notify or by an error: so is the transport."""
        engine = self._engine
        if self._ended or self._aborted or engine is None:
            return
        self._ended = True
        self.disconnecting = True
        self._stop_flush()
        if engine.error is not None:
            self._explain(engine)
        engine.close()
        self._send()
        self._stop_producer()
        self.transport.loseConnection()

    def _explain(self, engine: TLSEngine) -> None:
        """An error of TLS's is why the connection is lost."""
        error: BaseException | None = engine.error
        if error is not None and self._reason is None:
            if isinstance(error, ssl.SSLEOFError):
                lost = ConnectionLost(error.strerror)
                lost.__cause__ = error
                error = lost
            self._reason = Failure(error)

    def loseWriteConnection(self) -> NoReturn:
        """Refuse."""
        raise RuntimeError("TLS ends both directions together: use loseConnection()")

    def startTLS(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise RuntimeError(
            "this is TLS already; for TLS in TLS, wrap the protocol in another TLSMemoryBIOProtocol"
        )

    # -- producers: ours, and being one ---------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Let `producer` know when to write: not before the handshake is done, either.

        Raises:
            RuntimeError: another one is registered.
        """
        if self._ended or not self.connected:
            producer.stopProducing()
            return
        pull = None if streaming else _PullToPush(producer, self)
        membrane = _ProducerMembrane(pull or producer)
        self.transport.registerProducer(membrane, True)
        self._producer = membrane
        if pull is not None:
            pull.startStreaming()
        if not self._handshaken and self._engine is not None and self._engine.waiting:
            membrane.hold(True)

    def unregisterProducer(self) -> None:
        """Forget the producer; `loseConnection` goes on if it has waited for that."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.detach()
            self.transport.unregisterProducer()
            if self.disconnecting and not (self._ended or self._aborted):
                self._close()

    def _stop_producer(self) -> None:
        """Nobody takes what it would produce."""
        producer, self._producer = self._producer, None
        if producer is not None:
            self.transport.unregisterProducer()
            producer.stopProducing()

    def pauseProducing(self) -> None:
        """Deliver nothing until `resumeProducing`. The handshake goes on."""
        self._paused = True
        if self._handshaken:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver what has come, and what comes."""
        self._paused = False
        if self._handshaken:
            self.transport.resumeProducing()
        if self._unread:
            self.factory._clock.callLater(0, self._read)

    def _read(self) -> None:
        """Deliver what came while paused."""
        engine = self._engine
        if self._paused or self._aborted or not self._unread or engine is None:
            return
        unread, self._unread = self._unread, b""
        failure = self._deliver_kept(unread)
        if failure is not None:
            self.failVerification(failure)
        elif engine.finished:
            self._end()

    # -- what TLS knows -------------------------------------------------------

    def getHandle(self) -> ssl.SSLObject | None:
        """What the standard library's `ssl` knows of the connection; None before there is one."""
        return None if self._engine is None else self._engine.ssl_object

    def getPeerCertificate(self) -> Certificate | None:
        """The certificate that the peer has shown; None if there is none, or not yet."""
        shown = None if self._engine is None else self._engine.peer_certificate
        return None if shown is None else Certificate(shown)

    @property
    def negotiatedProtocol(self) -> bytes | None:
        """The application protocol that was agreed on (ALPN), or None."""
        name = None if self._engine is None else self._engine.selected_protocol
        return None if name is None else name.encode("ascii")


# What the interfaces want and is not here, the transport below has.
classImplements(TLSMemoryBIOProtocol, INegotiated, ISystemHandle)

#: In Twisted the one that collects small writes; here, both do.
BufferingTLSTransport = TLSMemoryBIOProtocol


class TLSMemoryBIOFactory(WrappingFactory[TLSMemoryBIOProtocol]):
    """
    Puts TLS under the protocols of another factory.

    If that provides `IProtocolNegotiationFactory`, its protocols are offered (ALPN).

    Args:
        contextFactory: the settings: CertificateOptions, optionsForClientTLS(...), an
            `ssl.SSLContext`, or what else `reactorlib.internet.ssl` names.
        isClient: whether this side begins.
        wrappedFactory: whose protocols speak over TLS.
        clock: the IReactorTime that tells the turns; the reactor if None.
        server_hostname: for a client whose settings are an `ssl.SSLContext` that
            checks host names: the name to check.

    Raises:
        TypeError: `contextFactory` can be no settings.
        ValueError: it is for the other side, or there is no host name to check.
    """

    protocol = TLSMemoryBIOProtocol
    noisy = False

    def __init__(
        self,
        contextFactory: Any,
        isClient: bool,
        wrappedFactory: Any,
        clock: Any = None,
        *,
        server_hostname: str | None = None,
    ) -> None:
        super().__init__(wrappedFactory)
        check_settings(contextFactory, isClient, server_hostname)
        self._contextFactory = contextFactory
        self._isClient = isClient
        self._server_hostname = server_hostname
        if clock is None:
            from reactorlib.internet import reactor as clock
        self._clock = clock

    def _make_engine(self, connection: TLSMemoryBIOProtocol) -> TLSEngine:
        return engine_for(
            self._contextFactory,
            self._isClient,
            connection=connection,
            factory=self.wrappedFactory,
            hostname=self._server_hostname,
        )

    def logPrefix(self) -> str:
        """The name in logs: the wrapped factory's, and that it is TLS."""
        wrapped = self.wrappedFactory
        known = ILoggingContext.providedBy(wrapped)
        return f"{wrapped.logPrefix() if known else wrapped.__class__.__name__} (TLS)"
