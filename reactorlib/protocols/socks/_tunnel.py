"""What both versions share: finding, connecting, waiting, passing on."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from zope.interface import implementer

from reactorlib.internet._resolvers import find_addresses
from reactorlib.internet.defer import CancelledError, Deferred, ensureDeferred, succeed
from reactorlib.internet.error import CannotListenError, ConnectError, DNSLookupError
from reactorlib.internet.interfaces import IHalfCloseableProtocol
from reactorlib.internet.protocol import ClientCreator, Protocol, connectionDone
from reactorlib.protocols._halves import close, join, send_end
from reactorlib.protocols.socks._ends import (
    End,
    SOCKSv4Incoming,
    SOCKSv4IncomingFactory,
    SOCKSv4Outgoing,
    unmapped,
)
from reactorlib.protocols.socks._wire import BIND, CONNECT, Reader, Request
from reactorlib.python.failure import Failure

__all__ = ["Authorize", "Refused", "Tunnel", "UnknownCommand", "ask"]

_log = logging.getLogger("reactorlib.protocols.socks")

Authorize = Callable[[int, str, int, bytes], "bool | Awaitable[bool]"]


class Refused(Exception):
    """This server does not let the client do what it asks for."""


class UnknownCommand(Exception):
    """The client asks for what is neither CONNECT nor BIND."""


async def ask(answer: Any) -> Any:
    """What a hook has answered, at once or later."""
    return await answer if inspect.isawaitable(answer) else answer


@implementer(IHalfCloseableProtocol)
class Tunnel(Protocol):
    """
    The client's end.

    Args:
        logging: the path of a file to which all that is passed on is added; None for none.
        reactor: what connects and listens; None for the one that runs.

    Attributes:
        otherConn: the far end, or None.
        handshakeTimeout: seconds that a client has until its request is there.
        connectTimeout: seconds until there is a connection, or a refusal.
        bindTimeout: seconds that a connection asked for with BIND has to come.
        maxEarly: bytes that a client may send before there is a connection; it is
            not read further then.
    """

    handshakeTimeout = 30.0
    connectTimeout = 60.0
    bindTimeout = 120.0
    maxEarly = 65536
    otherConn: End | None = None

    _user = b""

    def __init__(self, logging: str | None = None, reactor: Any = None) -> None:
        self.logging = logging
        self.reactor = reactor
        self._clock: Any = None
        self._late: Any = None
        self._work: Deferred[None] | None = None
        self._listener: Any = None
        self._busy = False
        self._joined = False
        self._closed = False
        self._paused = False

    @property
    def _buffered(self) -> Reader:
        """What has been read and not used."""
        raise NotImplementedError

    def _advance(self) -> None:
        """Go on with what has been read."""
        raise NotImplementedError

    def _succeeded(self, host: str, port: int) -> None:
        """Reply that it worked."""
        raise NotImplementedError

    def _failed(self, error: BaseException) -> None:
        """Reply that it did not, and close."""
        raise NotImplementedError

    # -- the client's connection --------------------------------------------------

    def connectionMade(self) -> None:
        """Wait for the request."""
        if self.reactor is None:
            from reactorlib.internet import reactor

            self.reactor = reactor
        self._clock = self.reactor
        self._wait(self.handshakeTimeout, self._abort)

    def dataReceived(self, data: bytes) -> None:
        """Read the request; then pass on what comes."""
        if self._joined:
            if self.otherConn is not None:
                self.otherConn.write(data)
        elif not self._closed:
            self._buffered.feed(data)
            self._advance()
            self._limit_early()

    def _limit_early(self) -> None:
        if not (self._joined or self._closed) and len(self._buffered) > self.maxEarly:
            self._paused = True
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """
        The client sends no more: tell the far end.

        As long as there is none it is taken for gone, for most that end then are.
        """
        if self._joined and self.otherConn is not None:
            send_end(self.otherConn.transport)
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """The client has been told that the far end sends no more."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone: give up, and close the far end once it has all."""
        self._closed = True
        self._stop_waiting()
        self._stop_listening()
        if self._work is not None:
            self._work.cancel()
        end, self.otherConn = self.otherConn, None
        if end is not None:
            close(end.transport)

    def write(self, data: bytes) -> None:
        """Send what the far end has sent."""
        self.transport.write(data)

    def log(self, proto: Any, data: bytes) -> None:
        """Note what is passed on, if `logging` names a file: `proto` has sent it."""
        if self.logging is None:
            return
        peer = self.transport.getPeer()
        far = None if self.otherConn is None else self.otherConn.transport.getPeer()
        arrow = ">" if proto is self else "<"
        names = [f"{getattr(a, 'host', a)}:{getattr(a, 'port', '')}" for a in (peer, far)]
        with open(self.logging, "a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%F %T')}\t{names[0]}{arrow}{names[1]}\t{data!r}\n")

    # -- the request --------------------------------------------------------------

    def authorize(self, code: int, server: str, port: int, user: bytes) -> Any:
        """
        Whether to do it; the factory's `authorize` decides if there is one.

        Args:
            code: 1 for CONNECT, 2 for BIND.
            server: the host's IP address; names have been looked up.
            port: its port.
            user: the client's name: in SOCKS 4 as it says, in SOCKS 5 as checked.

        Returns:
            whether; or a Deferred, or a coroutine, for that.
        """
        hook = getattr(getattr(self, "factory", None), "authorize", None)
        return True if hook is None else hook(code, server, port, user)

    def connectClass(self, host: str, port: int, klass: Any, *args: Any) -> Deferred[Any]:
        """Connect; the Deferred fires with the `klass(*args)` that is connected."""
        return ClientCreator(self.reactor, klass, *args).connectTCP(host, port)

    def listenClass(self, port: int, klass: Any, *args: Any) -> Deferred[tuple[str, int]]:
        """Listen with the factory `klass(*args)`; the Deferred fires with host and port."""
        wildcard = "::" if ":" in args[-1] else "0.0.0.0"  # noqa: S104
        self._listener = self.reactor.listenTCP(port, klass(*args), interface=wildcard)
        # Any interface will do; the one that the client has reached is a good guess.
        reached = getattr(self.transport.getHost(), "host", wildcard)
        host = reached if (":" in reached) == (":" in wildcard) else wildcard
        return succeed((host, self._listener.getHost().port))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, and read no further request meanwhile."""
        self._busy = True
        self._work = ensureDeferred(work)
        self._work.addErrback(self._broken)

    def _broken(self, failure: Failure) -> None:
        error = failure.value
        if self._closed:
            return
        self._stop_listening()
        known = (Refused, UnknownCommand, ConnectError, CannotListenError, OSError)
        if not isinstance(error, (*known, CancelledError, UnicodeError)):
            _log.error("a SOCKS request failed", exc_info=error)
        self._failed(error)

    async def _serve(self, request: Request) -> None:
        if request.command not in (CONNECT, BIND):
            raise UnknownCommand
        self._wait(self.connectTimeout, self._give_up)
        error: Exception = Refused()
        for host in await self._find(request):
            # It is the address that is allowed, and so it is the address that is used.
            user = request.user or self._user
            if not await ask(self.authorize(request.command, host, request.port, user)):
                continue
            if request.command == BIND:
                await self._bind(host)
                return
            try:
                end = await self.connectClass(host, request.port, SOCKSv4Outgoing, self)
            except ConnectError as failed:
                error = failed
                continue
            self._connected(end, host, request.port)
            return
        raise error

    async def _find(self, request: Request) -> list[str]:
        if request.address is not None:
            return [unmapped(request.address)]
        assert request.name is not None
        resolver = getattr(self.reactor, "nameResolver", None)
        if resolver is None:
            return [await self.reactor.resolve(request.name)]
        found = await find_addresses(resolver, request.name.decode("ascii"), request.port)
        hosts = [unmapped(address.host) for address in found]
        hosts = [host for host in hosts if self._can_reach(host)]
        if not hosts:
            raise DNSLookupError(f"no address for {request.name!r}")
        return hosts

    def _can_reach(self, host: str) -> bool:
        """Whether this version has words for the address."""
        return True

    def _connected(self, end: SOCKSv4Outgoing, host: str, port: int) -> None:
        self._succeeded(host, port)
        self._join(end)

    async def _bind(self, host: str) -> None:
        here, port = await self.listenClass(0, SOCKSv4IncomingFactory, self, host)
        self._wait(self.bindTimeout, lambda: self._broken(Failure(CancelledError())))
        self._succeeded(here, port)

    def _take_connection(self, welcome: bool) -> bool:
        """There is a connection: whether to take it."""
        if self._closed or self._joined:
            return False
        self._stop_listening()
        if not welcome:
            self._broken(Failure(Refused()))
        return welcome

    def _accepted(self, end: SOCKSv4Incoming) -> None:
        if self._closed:
            end.transport.loseConnection()
            return
        self._accept_reply(end)
        self._join(end)

    def _accept_reply(self, end: SOCKSv4Incoming) -> None:
        raise NotImplementedError

    # -- data in both directions --------------------------------------------------

    def _join(self, end: End) -> None:
        """Let data flow in both directions, as fast as each side takes it."""
        self._stop_waiting()
        self._joined = True
        if end.lost:
            self._close()
            return
        self.otherConn = end
        ours, theirs = self.transport, end.transport
        if self._paused:
            ours.resumeProducing()
        theirs.resumeProducing()
        join(ours, theirs)
        if rest := self._buffered.take_rest():
            end.write(rest)
        if end.ended:
            send_end(ours)

    def _end_ended(self, end: End) -> None:
        if self._joined and self.otherConn is end:
            send_end(self.transport)

    def _end_lost(self, end: End) -> None:
        if self.otherConn is end:
            self.otherConn = None
            if self._joined:
                self.transport.unregisterProducer()
                self._close()

    # -- waiting, and ending ------------------------------------------------------

    def _wait(self, seconds: float, late: Callable[[], None]) -> None:
        self._stop_waiting()
        self._late = self._clock.callLater(seconds, self._too_late, late)

    def _too_late(self, late: Callable[[], None]) -> None:
        self._late = None
        late()

    def _give_up(self) -> None:
        if self._work is not None:
            self._work.cancel()

    def _abort(self) -> None:
        self._closed = True
        self.transport.abortConnection()

    def _close(self) -> None:
        self._closed = True
        self._stop_waiting()
        if self._paused:
            self.transport.resumeProducing()
        self.transport.loseConnection()

    def _stop_waiting(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            late.cancel()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stopListening()
