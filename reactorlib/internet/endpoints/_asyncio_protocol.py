"""
asyncio's protocols on our transports.

An endpoint takes any asyncio protocol factory where it takes a Factory: something
callable that gives an `asyncio.Protocol` or `asyncio.BufferedProtocol`. What runs
below may be TCP, TLS, a process or memory: the protocol sees an
`asyncio.Transport`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from zope.interface import implementer

from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
from reactorlib.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from reactorlib.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from reactorlib.internet.protocol import Factory, Protocol, connectionDone

if TYPE_CHECKING:
    from reactorlib.python.failure import Failure

__all__ = ["as_factory", "spoken_by"]

_log = logging.getLogger("reactorlib.internet.endpoints")


def as_factory(protocolFactory: Any) -> Any:
    """A factory of ours; what has no `buildProtocol` and can be called is one of asyncio's."""
    if hasattr(protocolFactory, "buildProtocol") or not callable(protocolFactory):
        return protocolFactory
    return _AsyncioFactory(protocolFactory)


def spoken_by(protocol: Any) -> Any:
    """What the user's own factory made: the asyncio protocol, if it is one of asyncio's."""
    return protocol.spoken if isinstance(protocol, _Bridge) else protocol


class _AsyncioFactory(Factory[Any]):
    """Puts what an asyncio protocol factory makes on a transport of ours."""

    noisy = False

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    def buildProtocol(self, addr: Any) -> _Bridge:
        spoken = self._make()
        if not isinstance(spoken, (asyncio.Protocol, asyncio.BufferedProtocol)):
            # By their methods: a protocol need not derive from asyncio's classes.
            known = hasattr(spoken, "data_received") or hasattr(spoken, "get_buffer")
            if not (known and hasattr(spoken, "connection_made")):
                raise TypeError(
                    f"{self._make!r} has made {spoken!r}, which is no asyncio protocol: an "
                    "endpoint takes a Factory, or what makes an asyncio.Protocol"
                )
        bridge = _Bridge(spoken)
        bridge.factory = self
        return bridge


@implementer(IHalfCloseableProtocol)
class _Bridge(Protocol):
    """A protocol of ours that tells an asyncio protocol what it is told."""

    _eof = False
    _through: _Transport

    def __init__(self, spoken: Any) -> None:
        self.spoken = spoken

    def logPrefix(self) -> str:
        return type(self.spoken).__name__

    def connectionMade(self) -> None:
        self._through = _Transport(self, self.transport)
        self.spoken.connection_made(self._through)

    def dataReceived(self, data: bytes) -> None:
        if not hasattr(self.spoken, "get_buffer"):
            self.spoken.data_received(data)
            return
        view = memoryview(data)
        while view:
            buffer = self.spoken.get_buffer(len(view))
            room = len(buffer)
            if not room:
                raise RuntimeError("get_buffer() returned an empty buffer")
            taken = view[:room]
            buffer[: len(taken)] = taken
            self.spoken.buffer_updated(len(taken))
            view = view[len(taken) :]

    def readConnectionLost(self) -> None:
        self._eof = True
        if not self.spoken.eof_received():
            self._through.close()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        orderly = reason.check(ConnectionDone) is not None
        if orderly and not self._eof and not self._through.is_closing():
            self._eof = True
            self.spoken.eof_received()
        self._through._lost()
        error: BaseException | None = reason.value
        if orderly or (isinstance(error, ConnectionAborted) and self._through.is_closing()):
            error = None
        elif isinstance(error, ConnectionLost):
            # asyncio's users know it by this name.
            reset = ConnectionResetError(str(error))
            reset.__cause__ = error
            error = reset
        self.spoken.connection_lost(error)


_T = TypeVar("_T")


@implementer(IPushProducer)
class _Transport(asyncio.Transport):
    """
    A transport of ours as one of asyncio's.

    The protocol's `pause_writing` is our transport's telling a producer to wait.
    """

    def __init__(self, bridge: _Bridge, transport: Any) -> None:
        super().__init__()
        self._bridge = bridge
        self._below = transport
        self._closing = False
        self._reading = True
        self._ended = False
        self._choked = False
        transport.registerProducer(self, True)

    # -- what asyncio's protocols call ----------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._below.write(data if type(data) is bytes else bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._unregister()
            self._below.loseConnection()

    def abort(self) -> None:
        self._closing = True
        self._unregister()
        abort = getattr(self._below, "abortConnection", None)
        (self._below.loseConnection if abort is None else abort)()

    def is_closing(self) -> bool:
        return self._closing

    def can_write_eof(self) -> bool:
        # TLS ends both directions together.
        encrypted = getattr(self._below, "TLS", False) or self.get_extra_info("ssl_object")
        return not encrypted and hasattr(self._below, "loseWriteConnection")

    def write_eof(self) -> None:
        if not self.can_write_eof():
            raise NotImplementedError("this connection cannot end in one direction")
        self._unregister()
        self._below.loseWriteConnection()

    def pause_reading(self) -> None:
        if self._reading and not self._closing:
            self._reading = False
            self._below.pauseProducing()

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._below.resumeProducing()

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._bridge.spoken
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._bridge.spoken = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limits are our transport's own."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        read = _EXTRA.get(name)
        found = None if read is None else read(self._below)
        return default if found is None else found

    # -- what our transport calls ---------------------------------------------

    def pauseProducing(self) -> None:
        if not self._choked and not self._ended:
            self._choked = True
            self._bridge.spoken.pause_writing()

    def resumeProducing(self) -> None:
        if self._choked:
            self._choked = False
            if not self._ended:
                self._bridge.spoken.resume_writing()

    def stopProducing(self) -> None:
        self._ended = True

    def _unregister(self) -> None:
        if not self._ended:
            self._ended = True
            self._below.unregisterProducer()

    def _lost(self) -> None:
        self._ended = True


def _sockaddr(address: Any) -> Any:
    """An address as `socket` has it."""
    if isinstance(address, IPv4Address):
        return address.host, address.port
    if isinstance(address, IPv6Address):
        scope = address.scopeID
        return address.host, address.port, address.flowInfo, scope if isinstance(scope, int) else 0
    if isinstance(address, UNIXAddress):
        return "" if address.name is None else address.name.decode("utf-8", "surrogateescape")
    return None


def _handle(transport: Any, kind: type[_T] | None) -> _T | None:
    find = getattr(transport, "getHandle", None)
    handle = None if find is None else find()
    return handle if handle is not None and (kind is None or isinstance(handle, kind)) else None


def _ssl_object(transport: Any) -> Any:
    handle: Any = _handle(transport, None)
    return handle if hasattr(handle, "getpeercert") else None


def _socket(transport: Any) -> Any:
    handle: Any = _handle(transport, None)
    return handle if hasattr(handle, "getsockopt") else None


#: What `get_extra_info` knows: name to how it is found.
_EXTRA: Mapping[str, Callable[[Any], Any]] = {
    "peername": lambda transport: _sockaddr(transport.getPeer()),
    "sockname": lambda transport: _sockaddr(transport.getHost()),
    "socket": _socket,
    "ssl_object": _ssl_object,
    "peercert": lambda transport: (found := _ssl_object(transport)) and found.getpeercert(),
    "cipher": lambda transport: (found := _ssl_object(transport)) and found.cipher(),
    "compression": lambda transport: (found := _ssl_object(transport)) and found.compression(),
    "sslcontext": lambda transport: (found := _ssl_object(transport)) and found.context,
}
