"""The server's half of making, waiting for and ending data connections: RFC 959 and 2428."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from reactorlib.internet import reactor as _reactor
from reactorlib.internet.defer import maybeDeferred
from reactorlib.internet.error import CannotListenError
from reactorlib.internet.interfaces import IConnector, IListeningPort
from reactorlib.protocols.ftp import _errors as errors
from reactorlib.protocols.ftp import _responses as codes
from reactorlib.protocols.ftp._address import (
    decodeExtendedAddress,
    decodeHostPort,
    encodeHostPort,
    plain_host,
    same_host,
)
from reactorlib.protocols.ftp._control import Control, command
from reactorlib.protocols.ftp._dtp import DTPFactory

__all__ = ["DataConnections"]

# Ports below are those of services, which no client receives data at.
_FIRST_USER_PORT = 1024


class DataConnections(Control):
    """Makes data connections, one at a time, and lends each to a transfer."""

    dtpFactory: DTPFactory | None = None
    dtpInstance: Any = None
    dtpPort: Any = None
    dtpTimeout: float = 10
    transferTimeout: float | None = 600
    passivePortRange: Any = range(1)
    _epsv_all = False
    _idle: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self._offset = 0
        self._cannot_open = False

    def listenFactory(self, port: int, factory: Any, **kwargs: Any) -> Any:
        """Listen; as `reactor.listenTCP`."""
        return _reactor.listenTCP(port, factory, **kwargs)

    def getDTPPort(self, factory: Any, interface: str = "") -> Any:
        """
        Listen at a port of `passivePortRange`.

        Raises:
            CannotListenError: all are in use.
        """
        for number in self.passivePortRange:
            try:
                return self.listenFactory(number, factory, interface=interface)
            except CannotListenError:
                continue
        raise CannotListenError(
            interface,
            self.passivePortRange,
            OSError(f"no port of {self.passivePortRange!r} is free"),
        )

    def _new_factory(self) -> DTPFactory:
        self.cleanupDTP()
        self.dtpFactory = factory = DTPFactory(self, self.transport.getPeer().host)
        factory.setTimeout(self.dtpTimeout)
        return factory

    async def _passive(self, interface: str, reply: Callable[[int], None]) -> str | None:
        """Listen, say where, and wait until the client is there."""
        factory = self._new_factory()
        try:
            self.dtpPort = self.getDTPPort(factory, interface)
            reply(self.dtpPort.getHost().port)
        except CannotListenError:
            self.cleanupDTP()
            return codes.CANT_OPEN_DATA_CNX
        except Exception:
            self.cleanupDTP()
            raise
        try:
            await factory.deferred
        except errors.PortConnectionError:
            # PASV has its reply; the command that needs the connection is told.
            self._cannot_open = True
        self._stop_listening()
        return None

    async def _active(self, host: str, port: int) -> str:
        """Connect to where the client says, if that is the client."""
        # RFC 2577 section 3: no third host, no service of the client's.
        if not same_host(host, self.transport.getPeer().host) or port < _FIRST_USER_PORT:
            raise errors.CmdNotImplementedForArgError(f"{host} {port}")
        factory = self._new_factory()
        self.dtpPort = _reactor.connectTCP(host, port, factory)
        try:
            await factory.deferred
        except errors.PortConnectionError:
            self.cleanupDTP()
            return codes.CANT_OPEN_DATA_CNX
        return codes.ENTERING_PORT_MODE

    def _not_after_epsv_all(self, command: str) -> None:
        if self._epsv_all:
            raise errors.BadCmdSequenceError(f"may not send {command} after EPSV ALL")

    @command
    async def ftp_PASV(self) -> str | None:
        """Listen at an IPv4 address. RFC 959 section 4.1.2."""
        self._not_after_epsv_all("PASV")
        host = plain_host(self.transport.getHost().host)
        if ":" in host:
            raise errors.PASVIPv6NotImplementedError()
        return await self._passive(
            host, lambda port: self.reply(codes.ENTERING_PASV_MODE, encodeHostPort(host, port))
        )

    @command
    async def ftp_EPSV(self, protocol: str = "") -> Any:
        """Listen, for IPv4 or IPv6. RFC 2428 section 3."""
        if protocol.upper() == "ALL":
            self._epsv_all = True
            return codes.EPSV_ALL_OK
        if protocol:
            self._check_network(protocol)
        return await self._passive(
            self._both_families(), lambda port: self.reply(codes.ENTERING_EPSV_MODE, port)
        )

    def _both_families(self) -> str:
        return "::" if socket.has_dualstack_ipv6() else plain_host(self.transport.getHost().host)

    def _check_network(self, protocol: str) -> None:
        if not (protocol.isascii() and protocol.isdigit()):
            raise errors.CmdArgSyntaxError(protocol)
        if protocol not in ("1", "2"):
            raise errors.UnsupportedNetworkProtocolError("1,2")

    @command
    async def ftp_PORT(self, address: str) -> str:
        """Connect to the client's IPv4 address. RFC 959 section 4.1.2."""
        self._not_after_epsv_all("PORT")
        try:
            host, port = decodeHostPort(address)
        except ValueError:
            raise errors.CmdArgSyntaxError(address) from None
        return await self._active(host, port)

    @command
    async def ftp_EPRT(self, extendedAddress: str) -> str:
        """Connect to the client, by IPv4 or IPv6. RFC 2428 section 2."""
        self._not_after_epsv_all("EPRT")
        try:
            protocol, host, port = decodeExtendedAddress(extendedAddress)
        except ValueError:
            raise errors.CmdArgSyntaxError(extendedAddress) from None
        self._check_network(protocol)
        return await self._active(host, port)

    def _stop_listening(self) -> None:
        port, self.dtpPort = self.dtpPort, None
        if IListeningPort.providedBy(port):
            maybeDeferred(port.stopListening)
        elif IConnector.providedBy(port):
            port.disconnect()

    def cleanupDTP(self) -> None:
        """Be done with the data connection, or with waiting for it."""
        self._stop_listening()
        abort = getattr(self.dtpInstance, "abort", None)
        if abort is not None:
            abort()
        factory, self.dtpFactory, self.dtpInstance = self.dtpFactory, None, None
        self._cannot_open = False
        if factory is not None:
            factory.stopFactory()

    def _abort_transfer(self) -> None:
        abort = getattr(self.dtpInstance, "abort", None)
        if abort is not None:
            abort()
        elif self.dtpFactory is not None:
            self.dtpFactory.timeoutFactory()

    def ftp_ABOR(self) -> str:
        """End the transfer; what it said itself came before. RFC 959 section 4.1.3."""
        self.cleanupDTP()
        return codes.CLOSING_DATA_CNX

    async def _transfer(self, command: str, doing: Callable[[Any], Any]) -> Any:
        """
        Use the data connection for a command, and close it.

        Args:
            command: its name.
            doing: called with the connection; a coroutine function that returns
                the reply.
        """
        dtp = self.dtpInstance
        if dtp is None:
            if self._cannot_open:
                self.cleanupDTP()
                return codes.CANT_OPEN_DATA_CNX
            raise errors.BadCmdSequenceError(f"PORT, PASV, EPRT, or EPSV required before {command}")
        self._idle = self.setTimeout(None)
        try:
            return await doing(dtp)
        finally:
            if getattr(dtp, "isConnected", False):
                dtp.transport.loseConnection()
            if self.dtpInstance is dtp:
                self._forget_connection()
            self._offset = 0
            if not self.disconnected:
                self.setTimeout(self._idle)

    def _forget_connection(self) -> None:
        """The connection closes by itself, once what was written has left."""
        connector, self.dtpPort = self.dtpPort, None
        if IListeningPort.providedBy(connector):
            maybeDeferred(connector.stopListening)
        factory, self.dtpFactory, self.dtpInstance = self.dtpFactory, None, None
        if factory is not None:
            factory.stopFactory()

    def _started(self, dtp: Any) -> None:
        open_already = getattr(dtp, "isConnected", False)
        self.reply(
            codes.DATA_CNX_ALREADY_OPEN_START_XFR
            if open_already
            else codes.FILE_STATUS_OK_OPEN_DATA_CNX
        )
