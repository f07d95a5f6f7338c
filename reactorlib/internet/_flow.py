"""
What waits for a connection to take more: a producer, and whoever drains.

asyncio says when a transport's buffer has grown past its limit
(`pause_writing`) and when it has shrunk again (`resume_writing`). A push producer
is paused and resumed with that. A pull producer is asked for a piece whenever
the one before has been written and the buffer is not full.

A connection has a `Flow` only once somebody needs one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol

from reactorlib.internet.defer import Deferred
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = ["Flow", "Written"]

_log = logging.getLogger("reactorlib.internet.tcp")


class Written(Protocol):
    """
    What can have a `Flow`: a connection, or our end of a pipe.

    Attributes:
        _choked: whether its transport's buffer is over its limit.
        _send: what it hands bytes to.
    """

    _transport: Any
    _choked: bool
    _send: Any

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it belongs to."""

    @property
    def _context(self) -> Context:
        """Where what is called runs."""

    def _stop_pulling(self) -> None:
        """The pull producer is gone: send as ever."""

    def _fail(self, message: str, exception: BaseException) -> None:
        """The producer has raised something: report it, and end."""


class Flow:
    """
    The producer of one connection, and who waits for it to drain.

    Attributes:
        producer: what is registered, or None.
        streaming: whether it is a push producer.
    """

    __slots__ = (
        "_connection",
        "_draining",
        "_flowing",
        "_on_empty",
        "_pull",
        "_told_to_pause",
        "producer",
        "streaming",
    )

    def __init__(self, connection: Written) -> None:
        self._connection = connection
        self.producer: Any = None
        self.streaming = True
        self._told_to_pause = False
        self._draining: list[Deferred[None]] = []
        self._on_empty: Callable[[], object] | None = None
        #: The next request to a pull producer, while one is on its way.
        self._pull: asyncio.Handle | None = None
        #: What tells that the buffer has room, while that is on its way.
        self._flowing: asyncio.Handle | None = None

    # -- the producer ---------------------------------------------------------

    def register(self, producer: Any, streaming: bool) -> None:
        """
        Let `producer` be told when to pause and to go on.

        Raises:
            RuntimeError: there is one already.
        """
        if self.producer is not None:
            raise RuntimeError(
                f"cannot register {producer!r}: {self.producer!r} is the producer, "
                "and has not been unregistered"
            )
        self.producer = producer
        self.streaming = bool(streaming)
        self._told_to_pause = False
        if not self.streaming:
            self._connection._send = self._send_pulled
            self._tell("resumeProducing")
            # Once more when what was written before has left.
            if not self._connection._choked:
                self._ask_soon()
        elif self._connection._choked:
            self.choke()

    def unregister(self) -> None:
        """Forget the producer."""
        if self.producer is None:
            return
        self.producer = None
        if not self.streaming:
            self.streaming = True
            if self._pull is not None:
                self._pull.cancel()
                self._pull = None
            self._connection._stop_pulling()

    def _send_pulled(self, data: bytes) -> None:
        """What sends while there is a pull producer: ask for the next piece."""
        connection = self._connection
        connection._transport.write(data)
        if not connection._choked:
            self._ask_soon()

    def _ask_soon(self) -> None:
        if self._pull is None:
            connection = self._connection
            self._pull = connection._loop.call_soon(self._ask, context=connection._context)

    def _ask(self) -> None:
        self._pull = None
        if self.producer is not None and not self._connection._choked:
            self._tell("resumeProducing", entered=True)

    def _tell(self, what: str, entered: bool = False) -> None:
        """Call the producer, in the connection's context; an error there ends the connection."""
        method = getattr(self.producer, what)
        try:
            if entered:
                method()
            else:
                # A copy, since the context itself may be the current one already.
                self._connection._context.copy().run(method)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exception:
            self._connection._fail(f"the producer's {what}() failed", exception)

    # -- what the connection says ---------------------------------------------

    def choke(self) -> None:
        """The buffer is full."""
        if self.producer is not None and self.streaming and not self._told_to_pause:
            self._told_to_pause = True
            self._tell("pauseProducing")

    def flow(self) -> None:
        """
        The buffer has room again.

        asyncio says so in the middle of writing, where it does not expect to be closed.
        Who is told may want just that, and so hears of it in the next turn.
        """
        if self._flowing is None:
            connection = self._connection
            self._flowing = connection._loop.call_soon(self._flow, context=connection._context)

    def _flow(self) -> None:
        self._flowing = None
        if self._connection._choked:
            return  # again, meanwhile
        draining, self._draining = self._draining, []
        for d in draining:
            if not d.called:
                d.callback(None)
        on_empty, self._on_empty = self._on_empty, None
        if on_empty is not None:
            on_empty()
        if self.producer is not None and not self._connection._choked:
            if not self.streaming:
                self._ask_soon()
            elif self._told_to_pause:
                self._told_to_pause = False
                self._tell("resumeProducing")

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        self._on_empty = None
        for handle in (self._pull, self._flowing):
            if handle is not None:
                handle.cancel()
        self._pull = self._flowing = None
        producer, self.producer = self.producer, None
        if producer is not None:
            try:
                producer.stopProducing()
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as exception:
                report(_log, "the producer's stopProducing() failed", Failure(exception))
        draining, self._draining = self._draining, []
        for d in draining:
            if not d.called:
                d.errback(reason)

    # -- draining -------------------------------------------------------------

    def drain(self) -> Deferred[None]:
        """A Deferred for when the buffer has room again."""
        d: Deferred[None] = Deferred(self._draining_forget)
        self._draining.append(d)
        return d

    def _draining_forget(self, d: Deferred[None]) -> None:
        if d in self._draining:  # not while they are being told
            self._draining.remove(d)

    def when_empty(self, call: Callable[[], object]) -> None:
        """
        Call when everything written has left.

        From now on, the buffer counts as full while there is anything in it.
        """
        connection = self._connection
        connection._transport.set_write_buffer_limits(0)
        if connection._choked:
            self._on_empty = call
        else:
            connection._loop.call_soon(call, context=connection._context)
