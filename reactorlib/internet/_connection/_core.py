"""What a connection consists of, and what its parts share."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from reactorlib.internet import error
from reactorlib.internet._flow import Flow
from reactorlib.internet._turn import Turn, turn_of
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine
    from reactorlib.internet._connection._in_place import Early

__all__ = [
    "HELD_BACK",
    "PAUSED",
    "READ_CLOSED",
    "WRITE_CLOSED",
    "Builder",
    "Core",
    "Origin",
    "begin",
    "discard",
    "lost_by",
    "raise_interrupt",
]

_log = logging.getLogger("reactorlib.internet.tcp")


class Origin:
    """
    What connections that come from the same place share, so that none has to keep it.

    Attributes:
        factory: whose `buildProtocol` makes a protocol of the peer's address; None from
            it refuses the connection.
        loop: the loop that they belong to.
        context: what their callbacks run in copies of.
        lost: called with a connection and the reason after its protocol has been told.
        tls: what makes a `TLSEngine` for a connection, if TLS is to begin at once.
        client: whether this side has connected, rather than accepted.
        port: the port that has accepted them, if one has.
        turn: what all connections of the loop share.
    """

    __slots__ = ("client", "context", "factory", "loop", "lost", "port", "tls", "turn")

    def __init__(
        self,
        factory: Any,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None = None,
        *,
        lost: Callable[[Any, Failure], object] | None = None,
        tls: Callable[[Any], TLSEngine] | None = None,
        client: bool = False,
        port: object = None,
    ) -> None:
        self.factory = factory
        self.loop = loop
        self.context = contextvars.copy_context() if context is None else context
        self.lost = lost
        self.tls = tls
        self.client = client
        self.port = port
        self.turn = turn_of(loop)

    def apart(
        self,
        context: contextvars.Context | None = None,
        lost: Callable[[Any, Failure], object] | None = None,
    ) -> Origin:
        """The same, for a connection that has its own context, or tells somebody else."""
        return Origin(
            self.factory,
            self.loop,
            context or self.context,
            lost=lost or self.lost,
            tls=self.tls,
            client=self.client,
            port=self.port,
        )


class Builder:
    """In the place of a factory: what makes the one protocol of a connection."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[[Any], Any]) -> None:
        self._build: Callable[[Any], Any] | None = build

    def buildProtocol(self, address: Any) -> Any:
        """Make it, and forget how: the connection may be referred to there."""
        build, self._build = self._build, None
        assert build is not None
        return build(address)


#: What has happened to a connection, each a bit of `_marks`: its protocol has paused
#: reading; reading waits until the peer has taken the answers to what it has sent; the
#: peer, or this side, sends no more.
PAUSED, HELD_BACK, READ_CLOSED, WRITE_CLOSED = 1, 2, 4, 8


class Core(asyncio.Protocol):
    """The state of a connection; see `Connection`."""

    __slots__ = (
        "_choked",
        "_early",
        "_ending",
        "_flow",
        "_marks",
        "_origin",
        "_out",
        "_send",
        "_transport",
        "_turn",
        "connected",
        "disconnecting",
        "protocol",
        "sessionno",
    )

    TLS: ClassVar[bool] = False

    _origin: Origin
    _turn: Turn
    _transport: asyncio.Transport
    #: Bits: see `PAUSED` and its neighbours.
    _marks: int
    #: What sends; None for the transport's `write`. A bound method is an object that
    #: each connection would have to keep.
    _send: Callable[[bytes], None] | None
    #: Whether asyncio's write buffer is over its limit.
    _choked: bool
    _flow: Flow | None
    _early: Early | None
    _out: bytes | list[bytes] | None
    _ending: Failure | None
    protocol: Any
    connected: bool
    disconnecting: bool
    sessionno: int

    def __init__(self, origin: Origin, sessionno: int = -1) -> None:
        begin(self, origin, sessionno)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._origin.loop

    @property
    def _context(self) -> contextvars.Context:
        """Where what is called runs, in copies: other connections may have the same one."""
        return self._origin.context

    def _tell(self, what: str) -> None:
        """Tell the protocol."""
        turn = self._turn
        outer, turn.told = turn.told, self
        try:
            getattr(self.protocol, what)()
        except (SystemExit, KeyboardInterrupt) as interrupt:
            self._loop.call_soon(raise_interrupt, interrupt)
        except BaseException as exception:
            self._fail(f"{what}() failed; the connection is dropped", exception)
        finally:
            turn.told = outer

    def _fail(self, message: str, exception: BaseException) -> None:
        """An error in the protocol costs it its connection, and is reported once."""
        failure = Failure(exception)
        report(_log, message, failure, protocol=self.protocol, transport=self._transport)
        self._end_now(failure)

    def _end_now(self, reason: Failure) -> None:
        self._out = None
        self.disconnecting = True
        self._send = discard
        if self._ending is None:
            self._ending = reason
        self._transport.abort()

    def _flush(self) -> None:
        """Hand over what has been kept back."""
        if (out := self._out) is not None:
            self._out = None
            # Bytes or a list of them: `type() is` costs less than what mypy would follow.
            data: bytes = out if type(out) is bytes else b"".join(out)  # type: ignore[arg-type]
            if (send := self._send) is None:
                self._transport.write(data)
            else:
                send(data)

    def _own_context(self) -> contextvars.Context:
        """Have a context that no other connection has, to be entered itself."""
        context = self._origin.context.copy()
        self._origin = self._origin.apart(context)
        return context

    def _flow_of_it(self) -> Flow:
        if self._flow is None:
            self._own_context()
            self._flow = Flow(self)
        return self._flow

    def _stop_pulling(self) -> None:
        """The pull producer is gone: send as ever."""
        if self._ending is None and self.connected:
            self._send = None


def begin(connection: Core, origin: Origin, sessionno: int) -> None:
    """
    Give a new connection its state.

    Called in place of `__init__` where there are many: Python 3.11 takes several times
    as long to call a class.
    """
    connection._origin = origin
    connection._turn = origin.turn
    connection.sessionno = sessionno
    connection._marks = 0
    connection._out = connection._send = connection._flow = connection._early = None
    connection._ending = connection.protocol = None
    connection._choked = connection.connected = connection.disconnecting = False


def raise_interrupt(interrupt: BaseException) -> None:
    """
    What ends the loop, called by the loop itself.

    uvloop takes whatever is raised while it reads for an error of the transport's.
    """
    raise interrupt


def discard(data: bytes) -> None:
    """What sends once the connection is being closed."""


def lost_by(exc: BaseException) -> BaseException:
    if isinstance(exc, error.ConnectionClosed):
        return exc
    if isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
        return exc
    lost = error.ConnectionLost(str(exc)) if str(exc) else error.ConnectionLost()
    lost.__cause__ = exc
    return lost
