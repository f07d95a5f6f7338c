"""
What every port for datagrams has, UDP or UNIX: its life, reading and sending.

The port binds its socket at once and keeps it. The loop gets a duplicate of it,
and reads that through its own datagram transport. Sending needs no loop: a
datagram leaves now or never, and its errors belong to whoever writes it.
(asyncio's transport would keep without bound what the network does not take,
drop empty datagrams, and could not be connected later.)

States: idle -> listening -> stopping (from `stopListening` on: nothing is read
or sent any more) -> idle. The protocol hears of the end in the last step, on a
turn of the loop of its own, when the address is free.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import logging
import socket
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from reactorlib.internet import error
from reactorlib.internet._turn import Turn, turn_of
from reactorlib.internet.abstract import isIPAddress, isIPv6Address
from reactorlib.internet.address import from_sockname
from reactorlib.internet.defer import Deferred, succeed
from reactorlib.internet.interfaces import ILoggingContext
from reactorlib.python._report import note, report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib.internet._reactor._core import LoopReactor

__all__ = ["NO_ROOM", "BaseDatagramPort", "family_of", "no_datagram"]

_log = logging.getLogger("reactorlib.internet.udp")

#: The datagram does not fit into what waits to leave, or to be read by the peer:
#: it is lost, as one lost on the way. BSD says ENOBUFS.
NO_ROOM = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})

#: How many datagrams are taken in one turn of the loop, so that a busy port does
#: not keep others waiting. It is as many as uvloop takes.
_AT_ONCE = 32

#: How many times in a row it is not asked whether there is more, at most, where there
#: was none each time it was asked.
_MOST_PASSED = 7


class _Receiver(asyncio.DatagramProtocol):
    """What the loop calls with what has come, from one start of a port to its end."""

    __slots__ = (
        "_closing",
        "_limit",
        "_loop",
        "_pass",
        "_passes",
        "_port",
        "_rest",
        "_transport",
        "_turn",
    )

    _loop: asyncio.AbstractEventLoop
    _turn: Turn

    def __init__(self, port: BaseDatagramPort) -> None:
        self._port = port
        self._limit = port.maxPacketSize
        self._rest = range(0)
        #: Whether there is more is not asked so many times, of which so many are left.
        self._passes = self._pass = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._closing = False

    async def read(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        """Have the loop read a duplicate of `sock`."""
        self._loop = loop
        self._turn = turn_of(loop)
        if isinstance(loop, asyncio.SelectorEventLoop):
            # asyncio's own loop reads one datagram in each of its turns, and a turn
            # costs several times as much. We read what else has come.
            self._rest = range(_AT_ONCE - 1)
        duplicate = sock.dup()
        try:
            await loop.create_datagram_endpoint(lambda: self, sock=duplicate)
        except BaseException:
            self.close()
            duplicate.close()
            raise

    def read_begun(self, task: asyncio.Task[None]) -> None:
        """`read` is done, or has failed, or never began: then this is the end."""
        exception = None if task.cancelled() else task.exception()
        if isinstance(exception, Exception):
            self._port._report("the loop cannot read the port", exception)
        if task.cancelled() or exception is not None:
            self._port._end_soon(task.get_loop(), self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an assertion: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)
        if self._closing:
            # Not now: uvloop begins to read after this, closed or not.
            self._loop.call_soon(transport.close)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if len(data) > self._limit:
            data = data[: self._limit]
        self._deliver(data, addr)
        if self._pass:
            self._pass -= 1
            return
        more = False
        for _ in self._rest:
            sock = self._port.socket
            if self._closing or sock is None:
                return
            try:
                data, addr = sock.recvfrom(self._limit)
            except (BlockingIOError, InterruptedError):
                # A port with one peer that waits for its answer never has more.
                self._passes = 0 if more else min(2 * self._passes + 1, _MOST_PASSED)
                self._pass = self._passes
                return
            except OSError as exception:
                self.error_received(exception)
            else:
                self._deliver(data, addr)
            more = True

    def _deliver(self, data: bytes, addr: Any) -> None:
        if self._closing:
            return
        turn = self._turn
        outer, turn.told = turn.told, self._port
        try:
            self._port._deliver(data, addr)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._port._report("datagramReceived() failed", exception)
        finally:
            turn.told = outer

    def error_received(self, exc: Exception) -> None:
        if not self._closing:
            self._port._not_read(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._port._report("the loop has given up reading the port", exc)
        self._closing = True
        self._transport = None
        # The loop closes its socket when this has returned.
        self._port._end_soon(self._loop, self)

    def close(self) -> None:
        """Deliver nothing more, and close as soon as can be."""
        self._closing = True
        if self._transport is not None:
            self._transport.close()


class BaseDatagramPort:
    """
    A port; subclasses know their kind of socket and of address.

    Attributes:
        protocol: who is told of what comes in.
        port: where to listen: a number, or a path.
        maxPacketSize: longer datagrams are cut to so many bytes.
        socket: the bound socket, for options that have no method here; None
            unless it listens.
        connected: whether it listens.
        addressFamily, socketType: the kind of socket.
    """

    addressFamily: int
    socketType = socket.SOCK_DGRAM
    _kind = "UDP"
    #: The errors for which a datagram is silently lost.
    _lost_for = NO_ROOM
    _receiver: _Receiver | None = None
    _context: contextvars.Context
    #: Whether it is connected, so that a refusal is known to be the peer's.
    _to_one = False

    def __init__(
        self, port: Any, protocol: Any, maxPacketSize: int, reactor: LoopReactor | None
    ) -> None:
        from reactorlib.internet._current import current_reactor

        self.port = port
        self.protocol = protocol
        self.maxPacketSize = maxPacketSize
        self.reactor: LoopReactor = reactor or current_reactor()
        self.socket: socket.socket | None = None
        self.connected = False
        self._name: Any = None  # what getsockname() says, or has said last
        self._stopping = False
        self._stopped: list[Deferred[None]] = []
        #: The task that has the loop read, once there is a loop.
        self._reading: asyncio.Task[None] | None = None

    # -- what a kind of port says ---------------------------------------------

    def _bind(self) -> socket.socket:
        """
        Make the socket.

        Raises:
            CannotListenError: the address is in use, or not to be had.
        """
        raise NotImplementedError

    def _deliver(self, data: bytes, addr: Any) -> None:
        """Tell the protocol of a datagram."""
        raise NotImplementedError

    def _where(self) -> Any:
        """What its address is called in logs."""
        return self.port

    def _unbind(self) -> None:
        """The socket is closed: leave nothing behind."""

    # -- its life -------------------------------------------------------------

    def startListening(self) -> None:
        """
        Bind at once, and tell the protocol. It reads once the loop runs.

        Raises:
            CannotListenError: the address is in use, or not to be had.
            RuntimeError: the port is closing, and not gone yet.
        """
        if self._stopping:
            raise RuntimeError(f"{self!r} is closing: wait for what stopListening() returned")
        if self.connected:
            return
        self.reactor._must_be_in_its_thread()
        sock = self.socket = self._bind()
        self._name = sock.getsockname()
        self._context = contextvars.copy_context()
        receiver = self._receiver = _Receiver(self)
        self.connected = True
        self.reactor._ports.add(self)
        try:
            note(_log, f"{_prefix_of(self.protocol)} starting on {self._where()}")
            self.protocol.makeConnection(self)
        except BaseException:
            self._free()
            raise
        self.reactor._when_looping(lambda loop: self._start_reading(loop, sock, receiver))

    def _start_reading(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: _Receiver
    ) -> None:
        if self.socket is sock:
            self._reading = loop.create_task(receiver.read(loop, sock), context=self._context)
            self._reading.add_done_callback(receiver.read_begun)

    def stopListening(self) -> Deferred[None]:
        """
        Close the port: nothing is received or sent any more.

        Returns:
            a Deferred that fires with None when the address is free and the
            protocol has been told. It has fired already where the port was not
            listening.
        """
        if not self.connected:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stopped.append(stopped)
        if not self._stopping:
            self._stopping = True
            receiver = self._receiver
            assert receiver is not None
            receiver.close()
            if self._reading is None:
                self._close()
                self.reactor._when_looping(lambda loop: self._end_soon(loop, receiver))
        return stopped

    def connectionLost(self, reason: object = None) -> None:
        """The same as `stopListening`."""
        self.stopListening()

    def loseConnection(self) -> None:
        """Deprecated: the same as `stopListening`."""
        warnings.warn(
            "loseConnection() of a port is deprecated: use stopListening()",
            DeprecationWarning,
            stacklevel=2,
        )
        self.stopListening()

    def _end_soon(self, loop: asyncio.AbstractEventLoop, receiver: _Receiver) -> None:
        loop.call_soon(self._end, receiver, context=self._context)

    def _end(self, receiver: _Receiver) -> None:
        if self.connected and self._receiver is receiver:
            self._free(tell=True)

    def _free(self, tell: bool = False) -> None:
        """Free the address, and be as before the start."""
        self._close()
        self._unbind()
        self._stopping = self.connected = False
        self._receiver = self._reading = None
        self.reactor._ports.discard(self)
        stopped, self._stopped = self._stopped, []
        if tell:
            note(_log, f"({self._kind} Port {self._where()} Closed)")
            self._tell(self.protocol.doStop)
        for waiting in stopped:
            waiting.callback(None)

    def _close(self) -> None:
        sock, self.socket = self.socket, None
        if sock is not None:
            sock.close()

    # -- sending --------------------------------------------------------------

    def _not_sent(self, datagram: bytes, exception: OSError) -> None:
        """Drop a datagram, or say whose fault it is that it did not leave."""
        number = exception.errno
        if number == errno.EMSGSIZE:
            raise error.MessageLengthError(f"{len(datagram)} bytes") from exception
        if number == errno.ECONNREFUSED and self._to_one:
            self._tell(self.protocol.connectionRefused)
        elif number not in self._lost_for:
            raise exception

    # -- what goes wrong elsewhere ----------------------------------------------

    def _not_read(self, exception: Exception) -> None:
        """The loop could not read: the network has answered an earlier datagram."""
        if not isinstance(exception, ConnectionError):
            self._report(f"{self!r} could not read", exception)
        elif self._to_one:
            self._tell(self.protocol.connectionRefused)
        # Otherwise nobody could say which datagram it was.

    def _tell(self, hook: Callable[[], object]) -> None:
        """Call the protocol; an error there is reported, and changes nothing here."""
        try:
            hook()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._report(f"{getattr(hook, '__name__', hook)}() failed", exception)

    def _report(self, message: str, exception: BaseException) -> None:
        report(_log, message, Failure(exception), protocol=self.protocol, transport=self)

    # -- what it is -------------------------------------------------------------

    def getHandle(self) -> socket.socket | None:
        """The same as `socket`."""
        return self.socket

    def getHost(self) -> Any:
        """Where it is: the address really bound."""
        if self._name is None:
            raise error.NotListeningError
        return from_sockname(self._name, self.addressFamily, "UDP")

    def logPrefix(self) -> str:
        """The name in logs: that of the protocol, and what kind of port it is."""
        return f"{_prefix_of(self.protocol)} ({self._kind})"

    @property
    def logstr(self) -> str:
        """The same as `logPrefix()`."""
        return self.logPrefix()

    def __repr__(self) -> str:
        kind = type(self.protocol)
        where = f"on {self._where()}" if self.connected else "(not listening)"
        return f"<{kind.__module__}.{kind.__name__} {where}>"


def no_datagram(datagram: object, exception: TypeError) -> TypeError:
    """What to raise when the socket has refused something that is no datagram."""
    if isinstance(datagram, str):
        return TypeError(f"a datagram is bytes, not text: encode {datagram[:40]!r} first")
    return exception


def family_of(host: str) -> int | None:
    """The family of an IP address; None for anything else."""
    if isIPAddress(host):
        return socket.AF_INET
    return socket.AF_INET6 if isIPv6Address(host) else None


def _prefix_of(protocol: Any) -> str:
    if ILoggingContext.providedBy(protocol):
        return str(protocol.logPrefix())
    return type(protocol).__name__
