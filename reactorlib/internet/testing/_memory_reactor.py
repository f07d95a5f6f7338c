"""A reactor that takes notes of what it is asked, and does none of it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer

from reactorlib.internet import error
from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import (
    IConnector,
    IHostnameResolver,
    IHostResolution,
    IListeningPort,
    IReactorCore,
    IReactorFDSet,
    IReactorPluggableNameResolver,
    IReactorSocket,
    IReactorSSL,
    IReactorTCP,
    IReactorUNIX,
)
from reactorlib.internet.task import Clock

__all__ = [
    "MemoryReactor",
    "MemoryReactorClock",
    "RaisingMemoryReactor",
    "SynchronousResolver",
]

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def _ip_address(host: str, port: int) -> IPv4Address | IPv6Address:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        version = 4
    return (IPv6Address if version == 6 else IPv4Address)("TCP", host, port)


@implementer(IHostResolution)
@dataclass
class _Resolution:
    """A search that is over."""

    name: str

    def cancel(self) -> None:
        """It is over."""


@implementer(IHostnameResolver)
class SynchronousResolver:
    """A resolver that says at once that every host is at 127.0.0.1."""

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> _Resolution:
        """Tell the receiver everything before returning."""
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        if addressTypes is None or IPv4Address in addressTypes:
            kind: Any = transportSemantics
            resolutionReceiver.addressResolved(IPv4Address(kind, "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IListeningPort)
class _FakePort:
    """A port where nobody ever comes."""

    def __init__(self, address: Any) -> None:
        self._address = address

    def startListening(self) -> None:
        """Nothing is to be done."""

    def stopListening(self) -> Deferred[None]:
        """Nothing was open: fired."""
        return succeed(None)

    def getHost(self) -> Any:
        """Where it is said to listen."""
        return self._address


@implementer(IConnector)
class _FakeConnector:
    """A connector that takes note of what it is told."""

    _disconnected = False
    stoppedConnecting = False

    def __init__(self, address: Any) -> None:
        self._address = address
        self.connectCalled = False

    def stopConnecting(self) -> None:
        """Note it, in `stoppedConnecting`."""
        self.stoppedConnecting = True

    def disconnect(self) -> None:
        """Note it."""
        self._disconnected = True

    def connect(self) -> None:
        """Note it."""
        self.connectCalled = True

    def getDestination(self) -> Any:
        """Where it was to connect."""
        return self._address


@implementer(
    IReactorCore,
    IReactorTCP,
    IReactorSSL,
    IReactorUNIX,
    IReactorSocket,
    IReactorFDSet,
    IReactorPluggableNameResolver,
)
class MemoryReactor:
    """
    A reactor that takes notes of what it is asked, and does none of it.

    Attributes:
        tcpServers, sslServers, unixServers: the arguments of each `listen...`.
        tcpClients, sslClients, unixClients: the arguments of each `connect...`.
        adoptedPorts, adoptedStreamConnections: the arguments of each `adopt...`.
        connectors: what the `connect...` calls returned, in order.
        triggers: of each event and phase, tuples of a callable and its arguments:
            `triggers["before"]["shutdown"]`.
        whenRunningHooks: what each `run()` calls, as such tuples.
        hasInstalled, hasRun, hasStopped, hasCrashed: what has been called.
        running: true within `run()`, and false after `stop()`; None after `crash()`.
    """

    def __init__(self) -> None:
        self.hasInstalled = False
        self.running: bool | None = False
        self.hasRun = False
        self.hasStopped = False
        self.hasCrashed = False
        self.whenRunningHooks: list[tuple[Callable[..., object], Any, Any]] = []
        self.triggers: dict[str, dict[str, list[tuple[Callable[..., object], Any, Any]]]] = {}
        self.tcpClients: list[tuple[Any, ...]] = []
        self.tcpServers: list[tuple[Any, ...]] = []
        self.sslClients: list[tuple[Any, ...]] = []
        self.sslServers: list[tuple[Any, ...]] = []
        self.unixClients: list[tuple[Any, ...]] = []
        self.unixServers: list[tuple[Any, ...]] = []
        self.adoptedPorts: list[tuple[Any, ...]] = []
        self.adoptedStreamConnections: list[tuple[Any, ...]] = []
        self.connectors: list[_FakeConnector] = []
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.nameResolver: Any = SynchronousResolver()

    # -- beginning and end ----------------------------------------------------

    def install(self) -> None:
        """Note it."""
        self.hasInstalled = True

    def run(self) -> None:
        """
        Run: call what `whenRunningHooks` holds, which stays there, and stop.

        Raises:
            ReactorAlreadyRunning: it runs, or has crashed.
        """
        if self.running or self.running is None:
            raise error.ReactorAlreadyRunning(
                "this reactor runs" if self.running else "this reactor has crashed"
            )
        self.running = True
        self.hasRun = True
        for function, args, kw in self.whenRunningHooks:
            function(*args, **kw)
        self.stop()

    def stop(self) -> None:
        """Note it; it does not run any more."""
        self.hasStopped = True
        self.running = False

    def crash(self) -> None:
        """Note it; whether it runs is not known any more."""
        self.hasCrashed = True
        self.running = None

    def resolve(self, name: str, timeout: object = 10) -> Any:
        """Not offered: use `nameResolver`."""
        raise NotImplementedError("this reactor finds addresses with its nameResolver only")

    def iterate(self, delay: float = 0) -> None:
        """Not offered: there is nothing to be done meanwhile."""
        raise NotImplementedError("a MemoryReactor has nothing to iterate over")

    def fireSystemEvent(self, eventType: str) -> None:
        """Not offered: call what `triggers` holds."""
        raise NotImplementedError("a MemoryReactor fires no events; call what `triggers` holds")

    def addSystemEventTrigger(
        self, phase: str, eventType: str, callable: Callable[..., Any], *args: Any, **kw: Any
    ) -> Any:
        """Note it, in `triggers`."""
        noted = self.triggers.setdefault(phase, {}).setdefault(eventType, [])
        noted.append((callable, args, kw))
        return phase, eventType, noted[-1]

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """
        Forget a trigger.

        Raises:
            ValueError: it is none of those there are.
        """
        try:
            phase, event, trigger = triggerID
            self.triggers[phase][event].remove(trigger)
        except (TypeError, KeyError, ValueError):
            raise ValueError(f"{triggerID!r} is no trigger of this reactor") from None

    def callWhenRunning(self, callable: Callable[..., Any], *args: Any, **kw: Any) -> None:
        """Call at once if it runs, or has run; otherwise whenever it does."""
        if self.running or self.hasRun:
            callable(*args, **kw)
        else:
            self.whenRunningHooks.append((callable, args, kw))

    def installNameResolver(self, resolver: Any) -> Any:
        """Keep another resolver; the one before."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    # -- ports and connections ------------------------------------------------

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> _FakePort:
        """Note it, in `adoptedPorts`; `UnsupportedAddressFamily` unless it is IPv4 or IPv6."""
        address = _ip_of_family(addressFamily)
        self.adoptedPorts.append((fileDescriptor, addressFamily, factory))
        return _FakePort(address)

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        """Note it, in `adoptedStreamConnections`."""
        self.adoptedStreamConnections.append((fileDescriptor, addressFamily, factory))

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> _FakePort:
        """Note it, in `adoptedPorts`; `UnsupportedAddressFamily` unless it is IPv4 or IPv6."""
        address = _ip_of_family(addressFamily)
        self.adoptedPorts.append((fileDescriptor, addressFamily, protocol, maxPacketSize))
        return _FakePort(address)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Note it, in `tcpServers`."""
        self.tcpServers.append((port, factory, backlog, interface))
        return _FakePort(_ip_address(interface or "0.0.0.0", port))  # noqa: S104  # nothing is bound

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Any:
        """Note it, in `tcpClients`."""
        self.tcpClients.append((host, port, factory, timeout, bindAddress))
        return self._connector(_ip_address(host, port), factory)

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Note it, in `sslServers`."""
        self.sslServers.append((port, factory, contextFactory, backlog, interface))
        return _FakePort(_ip_address(interface or "0.0.0.0", port))  # noqa: S104  # nothing is bound

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Any:
        """Note it, in `sslClients`."""
        self.sslClients.append((host, port, factory, contextFactory, timeout, bindAddress))
        return self._connector(_ip_address(host, port), factory)

    def listenUNIX(
        self,
        address: Any,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> Any:
        """Note it, in `unixServers`."""
        self.unixServers.append((address, factory, backlog, mode, wantPID))
        return _FakePort(UNIXAddress(os.fsencode(address)))

    def connectUNIX(
        self, address: Any, factory: Any, timeout: float | None = 30, checkPID: bool = False
    ) -> Any:
        """Note it, in `unixClients`."""
        self.unixClients.append((address, factory, timeout, checkPID))
        return self._connector(UNIXAddress(os.fsencode(address)), factory)

    def _connector(self, address: Any, factory: Any) -> _FakeConnector:
        connector = _FakeConnector(address)
        factory.startedConnecting(connector)
        self.connectors.append(connector)
        return connector

    # -- descriptors ----------------------------------------------------------

    def addReader(self, reader: Any) -> None:
        """Keep it, once."""
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """Forget it."""
        self.readers.discard(reader)

    def addWriter(self, writer: Any) -> None:
        """Keep it, once."""
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:
        """Forget it."""
        self.writers.discard(writer)

    def getReaders(self) -> list[Any]:
        """Those that were added."""
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        """Those that were added."""
        return list(self.writers)

    def removeAll(self) -> list[Any]:
        """Forget all of them, and return them."""
        removed = list(self.readers | self.writers)
        self.readers.clear()
        self.writers.clear()
        return removed


def _ip_of_family(family: int) -> IPv4Address | IPv6Address:
    if family not in _FAMILIES:
        raise error.UnsupportedAddressFamily(family)
    host = "::" if family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104  # nothing is bound
    return _ip_address(host, 1234)


class MemoryReactorClock(MemoryReactor, Clock):
    """A `MemoryReactor` that is a `Clock` too."""

    def __init__(self) -> None:
        MemoryReactor.__init__(self)
        Clock.__init__(self)


@implementer(IReactorTCP, IReactorSSL, IReactorUNIX, IReactorSocket, IReactorPluggableNameResolver)
class RaisingMemoryReactor:
    """
    A reactor on which no port can be opened and no connection made.

    Args:
        listenException: what every `listen...` and `adopt...Port` raises.
        connectException: what every `connect...` and `adoptStreamConnection` raises.
    """

    def __init__(
        self,
        listenException: Exception | None = None,
        connectException: Exception | None = None,
    ) -> None:
        self._listenException = listenException
        self._connectException = connectException
        self.nameResolver: Any = SynchronousResolver()

    def installNameResolver(self, resolver: Any) -> Any:
        """Keep another resolver; the one before."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def _refuse_to_listen(self) -> Any:
        if self._listenException is None:
            raise RuntimeError("this RaisingMemoryReactor was given no listenException")
        raise self._listenException

    def _refuse_to_connect(self) -> Any:
        if self._connectException is None:
            raise RuntimeError("this RaisingMemoryReactor was given no connectException")
        raise self._connectException

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Any) -> Any:
        """Raise `listenException`."""
        self._refuse_to_listen()

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: int, protocol: Any, maxPacketSize: int = 8192
    ) -> Any:
        """Raise `listenException`."""
        self._refuse_to_listen()

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: int, factory: Any) -> None:
        """Raise `connectException`."""
        self._refuse_to_connect()

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        """Raise `listenException`."""
        self._refuse_to_listen()

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Any:
        """Raise `connectException`."""
        self._refuse_to_connect()

    def listenSSL(
        self, port: int, factory: Any, contextFactory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Raise `listenException`."""
        self._refuse_to_listen()

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> Any:
        """Raise `connectException`."""
        self._refuse_to_connect()

    def listenUNIX(
        self,
        address: Any,
        factory: Any,
        backlog: int = 50,
        mode: int = 0o666,
        wantPID: bool = False,
    ) -> Any:
        """Raise `listenException`."""
        self._refuse_to_listen()

    def connectUNIX(
        self, address: Any, factory: Any, timeout: float | None = 30, checkPID: bool = False
    ) -> Any:
        """Raise `connectException`."""
        self._refuse_to_connect()
