"""
Two protocols connected to each other: in memory, or over a socket of this machine.

For tests of protocols. In memory, what is written arrives in a later turn of the
loop; a pump policy says in which pieces.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from zope.interface import implementer

from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import IAddress, IConsumer, IDrainable, ITransport
from reactorlib.internet.protocol import ClientFactory, ServerFactory, connectionDone
from reactorlib.protocols.policies import ProtocolWrapper
from reactorlib.python.failure import Failure

__all__ = [
    "LoopbackClientFactory",
    "LoopbackRelay",
    "collapsingPumpPolicy",
    "identityPumpPolicy",
    "loopbackAsync",
    "loopbackTCP",
    "loopbackUNIX",
]


def _call_later(func: Callable[[], object]) -> Any:
    from reactorlib.internet import reactor

    return reactor.callLater(0, func)


def _nothing() -> None:
    """What a queue wakes where nobody waits for it."""


@implementer(IAddress)
class _LoopbackAddress:
    """Where both ends are."""


class _LoopbackQueue:
    """
    What one side has written and the other has not received; None after the last.

    Attributes:
        disconnect: whether it ends.
        wake: called when something is put into it.
    """

    def __init__(self) -> None:
        self._queue: deque[bytes | None] = deque()
        self.disconnect = False
        self.wake: Callable[[], object] = _nothing

    def put(self, v: bytes | None) -> None:
        self._queue.append(v)
        self.wake()

    def get(self) -> bytes | None:
        return self._queue.popleft()

    def clear(self) -> None:
        self._queue.clear()

    def __bool__(self) -> bool:
        return bool(self._queue)


@implementer(ITransport, IConsumer, IDrainable)
class _LoopbackTransport:
    """One end in memory."""

    disconnecting = False
    producer: Any = None

    def __init__(self, q: _LoopbackQueue) -> None:
        self.q = q
        self._streaming = True
        self.reason: Exception | None = None

    def write(self, data: bytes) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a transport sends bytes, not {type(data).__name__}")
        if data and (not self.disconnecting or self.producer is not None):
            self.q.put(bytes(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        if not self.disconnecting:
            self.disconnecting = True
            if self.producer is None:
                self._end()

    def abortConnection(self) -> None:
        self.disconnecting = True
        self.reason = ConnectionAborted()
        self.q.clear()
        self._end()

    def _end(self) -> None:
        self.q.disconnect = True
        self.q.put(None)

    def drain(self) -> Deferred[None]:
        return succeed(None)

    def getPeer(self) -> _LoopbackAddress:
        return _LoopbackAddress()

    def getHost(self) -> _LoopbackAddress:
        return _LoopbackAddress()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: {self.producer!r} is the producer")
        self.producer = producer
        self._streaming = bool(streaming)
        self.poll()

    def unregisterProducer(self) -> None:
        self.producer = None
        if self.disconnecting and not self.q.disconnect:
            self._end()

    def poll(self) -> None:
        """All that was written has arrived: a pull producer may write."""
        if self.producer is not None and not self._streaming:
            self.producer.resumeProducing()


def identityPumpPolicy(queue: Any, target: Any) -> None:
    """Deliver in the pieces in which it was written."""
    while queue:
        data = queue.get()
        if data is None:
            break
        target.dataReceived(data)


def collapsingPumpPolicy(queue: Any, target: Any) -> None:
    """Deliver all that there is as one piece."""
    pieces = []
    while queue:
        data = queue.get()
        if data is None:
            break
        pieces.append(data)
    if pieces:
        target.dataReceived(b"".join(pieces))


class _Pump:
    """Moves what two protocols write, for as long as they are connected."""

    def __init__(self, server: Any, client: Any, policy: Callable[[Any, Any], object]) -> None:
        self._ends: tuple[Any, ...] = (server, client)
        self._policy = policy
        self._call: Any = None
        # What each end has written, in the order of the ends.
        self._transports: tuple[_LoopbackTransport, ...] = tuple(
            _LoopbackTransport(_LoopbackQueue()) for _ in self._ends
        )
        for transport in self._transports:
            transport.q.wake = self._wake
        self.finished: Deferred[None] = Deferred(lambda _: self._end(Failure(ConnectionAborted())))
        self._over = False

    def start(self) -> None:
        for end, transport in zip(self._ends, self._transports, strict=True):
            end.makeConnection(transport)

    def _wake(self) -> None:
        if self._call is None and not self._over:
            self._call = _call_later(self._pump)

    def _pump(self) -> None:
        self._call = None
        server, client = self._ends
        to_client, to_server = self._transports
        try:
            for source, target in ((to_client, client), (to_server, server)):
                if source.q:
                    self._policy(source.q, target)
                    if not source.q:
                        source.poll()
            if self._over:
                return
            if not any(t.q.disconnect for t in self._transports):
                return
            if any(t.q for t in self._transports):
                # What the other has answered still arrives.
                self._wake()
                return
            self._end(None)
        except Exception:
            failure = Failure()
            self._end(failure)
            self.finished.errback(failure)
            return
        self.finished.callback(None)

    def _end(self, reason: Failure | None) -> None:
        """Tell both."""
        if self._over:
            return
        self._over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        aborted = any(t.reason for t in self._transports)
        for end, transport in zip(self._ends, self._transports, strict=True):
            producer, transport.producer = transport.producer, None
            if producer is not None:
                producer.stopProducing()
            if reason is not None:
                told = reason
            elif aborted:
                told = Failure(transport.reason or ConnectionLost())
            else:
                told = Failure(ConnectionDone())
            end.connectionLost(told)
        # What refers to this object in its turn.
        for transport in self._transports:
            transport.q.wake = _nothing
        self._ends = self._transports = ()


def loopbackAsync(
    server: Any, client: Any, pumpPolicy: Callable[[Any, Any], object] = identityPumpPolicy
) -> Deferred[None]:
    """
    Connect two protocols in memory.

    Args:
        pumpPolicy: called with a queue and the protocol that should receive what
            is in it: `identityPumpPolicy`, `collapsingPumpPolicy`, or another.

    Returns:
        a Deferred that fires with None when the connection is lost, and fails with
        what `dataReceived` of either has raised. Cancelling it breaks the
        connection.
    """
    pump = _Pump(server, client, pumpPolicy)
    pump.start()
    return pump.finished


@implementer(ITransport, IConsumer, IDrainable)
class LoopbackRelay:
    """
    A transport whose data arrives when `clearBuffer` is called.

    Args:
        target: the protocol that receives it.
        logFile: a text file, in which what arrives is written down; None for none.
    """

    buffer = b""
    shouldLose = 0
    disconnecting = 0
    producer: Any = None

    def __init__(self, target: Any, logFile: Any = None) -> None:
        self.target = target
        self.logFile = logFile

    def logPrefix(self) -> str:
        """The name in logs."""
        return f"Loopback({self.target.__class__.__name__})"

    def write(self, data: bytes) -> None:
        """Keep `data` for `clearBuffer`."""
        self.buffer += data
        if self.logFile is not None:
            self.logFile.write(f"loopback writing {data!r}\n")

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Keep several pieces as one."""
        self.write(b"".join(iovec))

    def clearBuffer(self) -> None:
        """Let arrive what has been written, and the end of the connection."""
        if self.shouldLose == -1:
            return
        if self.producer is not None:
            self.producer.resumeProducing()
        data, self.buffer = self.buffer, b""
        if data:
            if self.logFile is not None:
                self.logFile.write(f"loopback receiving {data!r}\n")
            self.target.dataReceived(data)
        if self.shouldLose == 1:
            self.shouldLose = -1
            self.target.connectionLost(Failure(ConnectionDone()))

    def loseConnection(self) -> None:
        """Close with the next `clearBuffer`."""
        self.disconnecting = 1
        if self.shouldLose == 0:
            self.shouldLose = 1

    def drain(self) -> Deferred[None]:
        """Fires at once: everything is taken."""
        return succeed(None)

    def getHost(self) -> Any:
        """Where this end is: here."""
        return "loopback"

    def getPeer(self) -> Any:
        """Where the other end is: here."""
        return "loopback"

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let `producer` write when the buffer is cleared."""
        self.producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None


class LoopbackClientFactory(ClientFactory[Any]):
    """
    Connects one protocol, and tells when it has disconnected.

    Attributes:
        disconnected: whether it has.
        deferred: fires with None then, and fails if there is no connection.
    """

    def __init__(self, protocol: Any) -> None:
        self.disconnected = 0
        self.deferred: Deferred[None] = Deferred()
        self._client = protocol

    def buildProtocol(self, addr: Any) -> Any:
        """The protocol."""
        return self._client

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """There is no connection."""
        self.deferred.errback(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        """The connection is gone; the protocol has been told."""
        self.disconnected = 1
        self.deferred.callback(None)


class _FireOnClose(ProtocolWrapper):
    """Tells when a connection is lost."""

    def __init__(self, protocol: Any, factory: Any) -> None:
        super().__init__(factory, protocol)
        self.deferred: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.deferred.callback(None)


class _OneServer(ServerFactory[Any]):
    """Accepts one connection for a protocol."""

    def __init__(self, wrapper: _FireOnClose | None) -> None:
        self._wrapper = wrapper

    def buildProtocol(self, addr: Any) -> Any:
        wrapper, self._wrapper = self._wrapper, None
        return wrapper

    def registerProtocol(self, p: Any) -> None:
        """It is known already."""

    def unregisterProtocol(self, p: Any) -> None:
        """Nobody asks."""


def _connect(
    server: Any,
    client: Any,
    noisy: bool,
    listen: Callable[[Any], Any],
    connect: Callable[[Any, Any], Any],
) -> Deferred[None]:
    wrapper = _FireOnClose(server, None)
    factory = _OneServer(wrapper)
    wrapper.factory = factory
    client_factory = LoopbackClientFactory(client)
    factory.noisy = client_factory.noisy = noisy
    port = listen(factory)
    connector = connect(port, client_factory)

    async def wait() -> None:
        try:
            await client_factory.deferred
            await wrapper.deferred
        except BaseException:
            connector.disconnect()
            raise
        finally:
            stopped = port.stopListening()
            if stopped is not None:
                await stopped

    return Deferred.fromCoroutine(wait())


def loopbackTCP(server: Any, client: Any, port: int = 0, noisy: bool = True) -> Deferred[None]:
    """
    Connect two protocols over TCP, on 127.0.0.1.

    Args:
        port: where to listen; 0 for any port that is free.
        noisy: whether the factories log when they start.

    Returns:
        a Deferred that fires with None when both have lost the connection. Cancelling
        it breaks the connection.
    """
    from reactorlib.internet import reactor

    return _connect(
        server,
        client,
        noisy,
        lambda factory: reactor.listenTCP(port, factory, interface="127.0.0.1"),
        lambda at, factory: reactor.connectTCP("127.0.0.1", at.getHost().port, factory),
    )


def loopbackUNIX(server: Any, client: Any, noisy: bool = True) -> Deferred[None]:
    """
    Connect two protocols over a UNIX socket, in a directory of its own.

    Args:
        noisy: whether the factories log when they start.

    Returns:
        as `loopbackTCP`.
    """
    from reactorlib.internet import reactor

    directory = tempfile.TemporaryDirectory()
    path = str(Path(directory.name) / "socket")
    deferred = _connect(
        server,
        client,
        noisy,
        lambda factory: reactor.listenUNIX(path, factory),
        lambda _, factory: reactor.connectUNIX(path, factory),
    )

    def clean(result: Any) -> Any:
        directory.cleanup()
        return result

    return deferred.addBoth(clean)
