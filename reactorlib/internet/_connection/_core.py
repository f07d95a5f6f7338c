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
    from reactorlib.internet._connection._reading import Early

__all__ = ["Core", "discard", "lost_by", "raise_interrupt"]

_log = logging.getLogger("reactorlib.internet.tcp")


class Core(asyncio.Protocol):
    """The state of a connection; see `Connection`."""

    __slots__ = (
        "_build",
        "_choked",
        "_client",
        "_context",
        "_early",
        "_ending",
        "_flow",
        "_held_back",
        "_loop",
        "_lost",
        "_out",
        "_paused",
        "_read_closed",
        "_send",
        "_tls",
        "_transport",
        "_turn",
        "_write_closed",
        "connected",
        "disconnecting",
        "protocol",
        "sessionno",
    )

    TLS: ClassVar[bool] = False

    _transport: asyncio.Transport

    def __init__(
        self,
        build: Callable[[Any], Any],
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[Any, Failure], object] | None = None,
        tls: Callable[[Any], TLSEngine] | None = None,
        client: bool = False,
        sessionno: int = -1,
        turn: Turn | None = None,
        context: contextvars.Context | None = None,
    ) -> None:
        self.sessionno = sessionno
        self._build: Callable[[Any], Any] | None = build
        self._loop = loop
        self._lost = lost
        self._tls = tls
        self._client = client
        self._turn = turn or turn_of(loop)
        #: Where what is called runs, in copies: other connections may have the same one.
        self._context = contextvars.copy_context() if context is None else context
        #: What sends; None for the transport's `write`. A bound method is an object that
        #: each connection would have to keep.
        self._send: Callable[[bytes], None] | None = None
        self._paused = False
        #: Whether reading waits until the peer has taken the answers to what it has sent.
        self._held_back = False
        #: Whether asyncio's write buffer is over its limit.
        self._choked = False
        self._flow: Flow | None = None
        self._early: Early | None = None
        self._out: bytes | list[bytes] | None = None
        self._read_closed = self._write_closed = False
        self._ending: Failure | None = None
        self.protocol: Any = None
        self.connected = False
        self.disconnecting = False

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
        context = self._context = self._context.copy()
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
