"""Reads the PROXY header of a connection, and is its transport afterwards."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable
from typing import Any

from zope.interface import directlyProvides, providedBy

from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
from reactorlib.internet.protocol import Protocol, connectionDone
from reactorlib.protocols.haproxy._wire import HeaderReader, InvalidProxyHeader, ProxyHeader
from reactorlib.protocols.policies import ProtocolWrapper, WrappingFactory
from reactorlib.python._report import note
from reactorlib.python.failure import Failure

__all__ = ["HEADER_TIMEOUT", "HAProxyProtocolWrapper", "HAProxyWrappingFactory", "Trusted"]

_log = logging.getLogger("reactorlib.protocols.haproxy")

#: Seconds that a proxy has for its header. It is in the first packet, which may get
#: lost; the specification (section 2) asks for three seconds at least.
HEADER_TIMEOUT = 10.0


class Trusted:
    """
    Whom to believe a PROXY header.

    Args:
        networks: networks and addresses; "unix" is for UNIX sockets.

    Raises:
        ValueError: one is neither.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._unix = False
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for each in networks:
            if each == "unix":
                self._unix = True
                continue
            try:
                self._networks.append(ipaddress.ip_network(each))
            except ValueError as error:
                raise ValueError(f"{each!r} is no network: {error}") from error

    def __contains__(self, address: object) -> bool:
        if isinstance(address, UNIXAddress):
            return self._unix
        if not isinstance(address, (IPv4Address, IPv6Address)):
            return False
        host: Any = ipaddress.ip_address(address.host.partition("%")[0])
        mapped = getattr(host, "ipv4_mapped", None)  # an IPv4 peer of an IPv6 port
        host = host if mapped is None else mapped
        return any(host in network for network in self._networks)


class HAProxyProtocolWrapper(ProtocolWrapper):
    """
    Reads the PROXY header; then builds and connects the wrapped protocol, which
    finds the client in `getPeer()`, and in `getHost()` what that has connected to.

    A connection without a good header, or none in time, is aborted, and nothing is
    built for it.

    Attributes:
        proxyHeader: the header; None before it has come.
    """

    proxyHeader: ProxyHeader | None = None

    def __init__(self, factory: Any) -> None:
        super().__init__(factory, None)
        self._reader: HeaderReader | None = HeaderReader()
        self._late: Any = None
        self._paused = False
        self._unread = b""
        #: What the wrapped protocol has raised: why the connection is lost.
        self._reason: Failure | None = None

    def logPrefix(self) -> str:
        """The name in logs: the wrapped protocol's, and this one's."""
        return "PROXY header" if self.wrappedProtocol is None else super().logPrefix()

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and wait for the header."""
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        self._late = self.factory._clock.callLater(self.factory._timeout, self._too_late)

    def _too_late(self) -> None:
        self._late = None
        self._refuse(f"no PROXY header within {self.factory._timeout} seconds")

    def _refuse(self, why: str) -> None:
        note(
            _log,
            "connection from %r dropped: %s",
            self.transport.getPeer(),
            why,
            level=logging.WARNING,
        )
        self._reader = None
        self.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came in: the header, or what follows it."""
        if self.wrappedProtocol is None:
            self._read_header(data)
        elif self._paused or self._unread:
            self._unread += data
        else:
            self.wrappedProtocol.dataReceived(data)

    def _read_header(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            return  # it is being closed
        reader.feed(data)
        try:
            header = reader.next_header()
        except InvalidProxyHeader as error:
            self._stop_waiting()
            self._refuse(str(error))
            return
        if header is None:
            return
        self._stop_waiting()
        self._reader = None
        self.proxyHeader = header
        wrapped = self.factory.wrappedFactory.buildProtocol(self.getPeer())
        if wrapped is None:
            self.loseConnection()
            return
        self.wrappedProtocol = wrapped
        wrapped.makeConnection(self)
        if (rest := reader.rest) and not self.disconnecting:
            self.dataReceived(rest)

    def _stop_waiting(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._stop_waiting()
        self._reader = None
        if self.wrappedProtocol is None:
            self.factory.unregisterProtocol(self)
            return
        unread, self._unread = self._unread, b""
        reason, self._reason = self._reason or reason, None
        try:
            if unread:
                self._deliver_kept(unread)
        finally:
            super().connectionLost(reason)

    # -- the transport of the wrapped protocol --------------------------------

    def getPeer(self) -> Any:
        """The client, if the proxy has said who it is; or else the proxy."""
        header = self.proxyHeader
        if header is None or header.source is None:
            return self.transport.getPeer()
        return header.source

    def getHost(self) -> Any:
        """Where the client has connected to, if the proxy has said it; or else this end."""
        header = self.proxyHeader
        if header is None or header.destination is None:
            return self.transport.getHost()
        return header.destination

    def loseConnection(self) -> None:
        """Close once everything written has been sent. Nothing more is delivered."""
        self._unread = b""
        super().loseConnection()

    def abortConnection(self) -> None:
        """Close now: data not yet sent is dropped."""
        self.disconnecting = True
        self._unread = b""
        abort = getattr(self.transport, "abortConnection", None)
        (self.transport.loseConnection if abort is None else abort)()

    def pauseProducing(self) -> None:
        """Deliver nothing until `resumeProducing`."""
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver what has come, and what comes."""
        self._paused = False
        self.transport.resumeProducing()
        if self._unread:
            self.factory._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        if self._unread and not self._paused and self.wrappedProtocol is not None:
            unread, self._unread = self._unread, b""
            self._reason = self._deliver_kept(unread)
            if self._reason is not None:
                self.abortConnection()


class HAProxyWrappingFactory(WrappingFactory[HAProxyProtocolWrapper]):
    """
    Reads a PROXY header on each connection, before another factory's protocol is
    built for it.

    Args:
        wrappedFactory: that factory; its `buildProtocol` is called with the
            client's address.
        trusted: whom to believe: networks and addresses, as text; "unix" is for
            UNIX sockets. Connections from others are refused. None for everybody.
        headerTimeout: seconds for the header to come.
        clock: the IReactorTime that tells them; the reactor if None.

    Raises:
        ValueError: `trusted` names what is no network.
    """

    noisy = False

    def __init__(
        self,
        wrappedFactory: Any,
        trusted: Iterable[str] | None = None,
        headerTimeout: float = HEADER_TIMEOUT,
        clock: Any = None,
    ) -> None:
        super().__init__(wrappedFactory)
        self._trusted = None if trusted is None else Trusted(trusted)
        self._timeout = headerTimeout
        if clock is None:
            from reactorlib.internet import reactor as clock
        self._clock = clock

    def buildProtocol(self, addr: Any) -> HAProxyProtocolWrapper | None:
        """What reads the header; None for a peer that is not trusted."""
        if self._trusted is not None and addr not in self._trusted:
            note(
                _log,
                "connection from %r refused: it is no trusted proxy",
                addr,
                level=logging.WARNING,
            )
            return None
        return HAProxyProtocolWrapper(self)
