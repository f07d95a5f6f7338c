"""Endpoints around endpoints: TLS over anything, and one protocol for one connection."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.defer import Deferred, maybeDeferred
from reactorlib.internet.endpoints._asyncio_protocol import as_factory, spoken_by
from reactorlib.internet.endpoints._client import ClientEndpoint
from reactorlib.internet.interfaces import IStreamServerEndpoint
from reactorlib.internet.protocol import Factory

_T = TypeVar("_T")

__all__ = [
    "_TLSServerEndpoint",
    "_WrapperEndpoint",
    "_WrapperServerEndpoint",
    "connectProtocol",
    "tls_factory",
    "wrapClientTLS",
    "wrapServerTLS",
]


def tls_factory(settings: Any, is_client: bool, factory: Any, clock: Any = None) -> Any:
    """A `TLSMemoryBIOFactory`: it stands on a floor above, so it is found when it is used."""
    make = import_module("reactorlib.protocols.tls").TLSMemoryBIOFactory
    return make(settings, is_client, factory, clock)


class _WrapperEndpoint(ClientEndpoint):
    """
    An endpoint that connects as another does, with a WrappingFactory in between.

    Args:
        wrappedEndpoint: the other.
        wrapperFactory: what makes the WrappingFactory of the user's factory.
    """

    def __init__(self, wrappedEndpoint: Any, wrapperFactory: Callable[[Any], Any]) -> None:
        self._wrappedEndpoint = wrappedEndpoint
        self._wrapperFactory = wrapperFactory

    def _connect(self, protocolFactory: Any) -> Deferred[Any]:
        def unwrapped(wrapper: Any) -> Any:
            protocol = wrapper.wrappedProtocol
            if protocol is None:  # it was lost as soon as it was made
                raise error.ConnectionLost("the connection was lost in connectionMade()")
            return spoken_by(protocol)

        def begin() -> Any:
            return self._wrappedEndpoint.connect(self._wrapperFactory(as_factory(protocolFactory)))

        return maybeDeferred(begin).addCallback(unwrapped)


@implementer(IStreamServerEndpoint)
class _WrapperServerEndpoint:
    """
    An endpoint that listens as another does, with a WrappingFactory in between.

    Args:
        wrappedEndpoint: the other.
        wrapperFactory: what makes the WrappingFactory of the user's factory.
    """

    def __init__(self, wrappedEndpoint: Any, wrapperFactory: Callable[[Any], Any]) -> None:
        self._wrappedEndpoint = wrappedEndpoint
        self._wrapperFactory = wrapperFactory

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        def begin() -> Any:
            return self._wrappedEndpoint.listen(self._wrapperFactory(as_factory(protocolFactory)))

        return maybeDeferred(begin)


@implementer(IStreamServerEndpoint)
class _TLSServerEndpoint:
    """
    TLS over whatever another endpoint accepts.

    Attributes:
        endpoint: the other.
        connectionCreator: the TLS settings.
        clock: the IReactorTime that tells the turns.
    """

    def __init__(self, endpoint: Any, connectionCreator: Any, clock: Any = None) -> None:
        self.endpoint = endpoint
        self.connectionCreator = connectionCreator
        self.clock = clock

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        def begin() -> Any:
            factory = as_factory(protocolFactory)
            return self.endpoint.listen(
                tls_factory(self.connectionCreator, False, factory, self.clock)
            )

        return maybeDeferred(begin)

    def _beneath_tls(self) -> tuple[Any, Any]:
        """The endpoint without TLS, and the settings: something may come before TLS."""
        return self.endpoint, self.connectionCreator


def wrapClientTLS(
    connectionCreator: Any, wrappedEndpoint: Any, clock: Any = None
) -> ClientEndpoint:
    """
    TLS over whatever another endpoint connects to.

    Args:
        connectionCreator: the TLS settings: usually `optionsForClientTLS(hostname)`.
        wrappedEndpoint: an `IStreamClientEndpoint`.
        clock: the IReactorTime that tells the turns; the reactor if None.

    Returns:
        an `IStreamClientEndpoint`. What it connects is connected before the TLS
        handshake is done: see `IHandshakeListener`.
    """
    wrap = functools.partial(_client_tls_factory, connectionCreator, clock)
    return _WrapperEndpoint(wrappedEndpoint, wrap)


def _client_tls_factory(creator: Any, clock: Any, factory: Any) -> Any:
    # No function within the other: an endpoint can be saved.
    return tls_factory(creator, True, factory, clock)


def wrapServerTLS(connectionCreator: Any, wrappedEndpoint: Any, clock: Any = None) -> Any:
    """
    TLS over whatever another endpoint accepts.

    Args:
        connectionCreator: the TLS settings: usually `CertificateOptions`.
        wrappedEndpoint: an `IStreamServerEndpoint`.
        clock: the IReactorTime that tells the turns; the reactor if None.

    Returns:
        an `IStreamServerEndpoint`.
    """
    return _TLSServerEndpoint(wrappedEndpoint, connectionCreator, clock)


class _One(Factory[Any]):
    """A factory for a protocol that there is already."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Any:
        return self._protocol


def connectProtocol(endpoint: Any, protocol: _T) -> Deferred[_T]:
    """
    Connect a protocol that there is already, and needs no factory.

    Args:
        endpoint: the `IStreamClientEndpoint` to connect with.
        protocol: an `IProtocol`, or an `asyncio.Protocol`.

    Returns:
        the Deferred of `endpoint.connect`, which fires with the protocol.
    """
    if isinstance(protocol, asyncio.BaseProtocol):
        connecting: Deferred[_T] = endpoint.connect(as_factory(lambda: protocol))
    else:
        connecting = endpoint.connect(_One(protocol))
    return connecting
