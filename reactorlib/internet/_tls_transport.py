"""
TLS as an asyncio transport: between a connection and the loop's own transport.

To the loop's transport (the lower one) it is the protocol, to the connection
(the upper one) the transport. The cryptography, and what it means, is in
`TLSEngine`. The loop's own TLS would not do: it cannot begin with bytes that
have been read already, does not tell a truncated stream from an orderly end, has
no half-close, and all of that differs from loop to loop.

States: handshake -> open -> closing (our close_notify is on its way; what the
peer still sends is dropped) -> lost. The handshake has `HANDSHAKE_TIMEOUT`
seconds, and the peer's answer to our close_notify `SHUTDOWN_TIMEOUT`.
Until the handshake is done reading is never paused, since it would not get on;
the plaintext that comes with its end waits in `_unread`.
"""

from __future__ import annotations

import asyncio
import contextvars
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactorlib._sansio.tls import TLSEngine

__all__ = ["HANDSHAKE_TIMEOUT", "SHUTDOWN_TIMEOUT", "TLSTransport"]

#: Seconds for the handshake, as asyncio has it: a slow link needs a few.
HANDSHAKE_TIMEOUT = 60.0

#: Seconds for the peer to answer a close_notify, which many never do; counted
#: from when everything has left.
SHUTDOWN_TIMEOUT = 5.0

#: How much plaintext may wait for the handshake, if no other limit is set, before the
#: writer is told to pause.
_WAITING_LIMIT = 65536


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """
    One connection's TLS.

    Args:
        lower: the transport that carries the ciphertext.
        upper: the protocol of the plaintext. Its `handshake_done`, if it has one,
            is called with no arguments.
        engine: the state of TLS.
        context: what the time-outs run in, and what the peer sends is read in.
    """

    def __init__(
        self,
        lower: asyncio.Transport,
        upper: Any,
        engine: TLSEngine,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
    ) -> None:
        super().__init__()
        self._lower = lower
        self._upper: Any = upper
        self._engine = engine
        self._loop = loop
        self._context = context
        self._shaken = False
        self._paused = False
        self._closing = False
        self._told_lost = False
        self._told_end = False
        #: Whether the lower transport's buffer is full.
        self._choked = False
        #: Whether reading waits until the peer has taken TLS's own answers.
        self._held_back = False
        #: Whether the upper protocol has been told to pause writing.
        self._told_choked = False
        #: How much plaintext may wait before the upper protocol is told to pause writing.
        self._waiting_limit = _WAITING_LIMIT
        self._unread: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._error: BaseException | None = None

    def begin(self, unread: bytes = b"") -> None:
        """
        Take the lower transport over.

        Args:
            unread: ciphertext that has been read already.
        """
        self._choked = self._told_choked = bool(getattr(self._upper, "_choked", False))
        self._lower.set_protocol(self)
        self._timer = self._loop.call_later(
            HANDSHAKE_TIMEOUT, self._too_slow, context=self._context
        )
        self._read_on()
        self._send()
        if unread:
            # uvloop may read on before it calls anything else: what was read first is first.
            self._engine.precede(unread)
            # Not now: whoever starts TLS may still have something to say.
            self._loop.call_soon(self._receive_unread, context=self._context)

    def _receive_unread(self) -> None:
        if not (self._told_lost or self._engine.finished):
            self.data_received(b"")

    # -- the protocol of the lower transport ----------------------------------

    def data_received(self, data: bytes) -> None:
        engine = self._engine
        plaintext = engine.receive(data)
        if not self._shaken:
            if not engine.handshake_done:
                self._send()
                if engine.error is not None:
                    self._broken(engine.error)
                return
            self._shake()
        elif self._choked:
            self._answer_choked()
        if plaintext and not self._closing:
            if self._paused or self._unread:
                self._unread.append(plaintext)
            else:
                self._upper.data_received(plaintext)
        # What was written meanwhile was sent already; this is for TLS's own answers.
        if engine.outgoing.pending or engine.waiting or engine.closing:
            self._send()
            self._tell_flow()
        if engine.finished:
            if self._closing:
                self._end()
            elif not self._unread:
                self._finished()

    def _answer_choked(self) -> None:
        """
        TLS itself may answer: a peer that asks for new keys, and asks again, and does
        not take the answers, is not read from meanwhile.
        """
        if answer := self._engine.take():
            self._lower.write(answer)
            self._held_back = True
            self._lower.pause_reading()

    def _shake(self) -> None:
        """The handshake is done."""
        self._shaken = True
        self._stop_timer()
        if self._closing:
            self._set_shutdown_timer()
            return
        done = getattr(self._upper, "handshake_done", None)
        if done is not None:
            done()
        self._send()
        self._tell_flow()
        if self._paused and not self._closing:
            self._lower.pause_reading()

    def _finished(self) -> None:
        """No more plaintext will come."""
        engine = self._engine
        if engine.error is not None:
            self._broken(engine.error)
        elif not (self._told_end or self._closing):
            self._told_end = True
            if not self._upper.eof_received():
                self.close()
            elif self._engine.notified:
                self._end()

    def eof_received(self) -> bool:
        engine = self._engine
        if self._closing:
            self._end()
        elif engine.peer_closed:
            pass  # it said so before: whether we are done is for the upper side to say
        else:
            engine.eof()
            if not self._unread:
                self._finished()
        return True  # this transport closes the lower one

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        if not self._closing:
            self._engine.eof()
            exc = exc or self._engine.error
        elif self._engine.notified and isinstance(exc, ConnectionError):
            exc = None  # many peers hang up on a close_notify
        self._lost(self._error or exc)

    def pause_writing(self) -> None:
        self._choked = True
        self._tell_flow()

    def resume_writing(self) -> None:
        self._choked = False
        if self._held_back:
            self._held_back = False
            if self._closing or not self._paused:
                self._context.copy().run(self._read_on)
        self._tell_flow()

    def _tell_flow(self) -> None:
        """Tell the upper side whether to write on, if that has changed."""
        engine = self._engine
        limit = self._waiting_limit
        choked = self._choked or engine.waiting > limit
        if not (choked or limit):
            choked = engine.closing and not engine.notified  # there is that to be sent
        if choked != self._told_choked:
            self._told_choked = choked
            if choked:
                self._upper.pause_writing()
            else:
                self._upper.resume_writing()

    # -- the transport of the upper protocol ----------------------------------

    def write(self, data: Any) -> None:
        """Encrypt and send, once the handshake is done."""
        engine = self._engine
        if not self._shaken:
            engine.write(data)
            if not self._told_choked:
                self._tell_flow()
            return
        if ciphertext := engine.seal(data):
            self._lower.write(ciphertext)
        if engine.waiting or engine.closing:
            self._send()
            self._tell_flow()

    def _send(self) -> None:
        take, write = self._engine.take, self._lower.write
        while ciphertext := take():
            write(ciphertext)

    def close(self) -> None:
        """Send what is written, then a close_notify; await the peer's, and close."""
        if not self._closing:
            self._closing = True
            engine = self._engine
            waits = engine.waiting > 0
            engine.close()
            if not (self._shaken or waits):
                self._end()  # in the middle of a handshake there is nothing to keep
                return
            self._send()
            self._read_on()
            if engine.finished:
                self._end()
            elif self._shaken:
                self._set_shutdown_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_shutdown_timer(self) -> None:
        self._timer = self._loop.call_later(
            SHUTDOWN_TIMEOUT, self._not_answered, context=self._context
        )

    def _not_answered(self) -> None:
        self._timer = None
        if self._lower.get_write_buffer_size():
            self._set_shutdown_timer()  # the peer does not even read
        else:
            self._end()

    def write_eof(self) -> None:
        """Send a close_notify after what is written, and read on."""
        engine = self._engine
        engine.close()
        self._send()
        if engine.finished:
            self._closing = True
            self._end()

    def can_write_eof(self) -> bool:
        """Yes: a close_notify says so."""
        return True

    def abort(self) -> None:
        """Close now."""
        self._closing = True
        self._lower.abort()

    def is_closing(self) -> bool:
        """Whether `close` or `abort` was called, or the lower one is closing."""
        return self._closing or self._lower.is_closing()

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`."""
        self._paused = True
        if self._shaken and not self._closing:
            self._lower.pause_reading()

    def resume_reading(self) -> None:
        """Deliver what has come, and what comes."""
        self._paused = False
        if self._unread:
            self._loop.call_soon(self._deliver_unread, context=self._context)
        else:
            self._read_on()

    def _deliver_unread(self) -> None:
        if self._paused or self._closing or self._told_lost:
            return
        unread, self._unread = self._unread, []
        if unread:
            self._upper.data_received(b"".join(unread))
        self._send()
        self._tell_flow()
        if self._engine.finished:
            self._finished()
        elif not self._paused:
            self._read_on()

    def is_reading(self) -> bool:
        """Whether plaintext is delivered."""
        return not self._paused and not self._closing

    def _read_on(self) -> None:
        if not (self._held_back or self._lower.is_closing()):
            self._lower.resume_reading()

    def get_write_buffer_size(self) -> int:
        """How many bytes wait, plain or encrypted."""
        return self._engine.waiting + self._lower.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Those of the lower transport."""
        return self._lower.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Those of the lower transport, and of the plaintext that waits to be encrypted."""
        self._lower.set_write_buffer_limits(high, low)
        if high is None:
            high = _WAITING_LIMIT if low is None else 4 * low  # as asyncio has it
        self._waiting_limit = high
        self._tell_flow()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's TLS transports have it, and what the lower one has."""
        if name == "ssl_object":
            return self._engine.ssl_object
        if name == "sslcontext":
            return self._engine.ssl_object.context
        if name == "peercert":
            return self._engine.ssl_object.getpeercert()
        return self._lower.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Exchange the upper protocol."""
        self._upper = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The upper protocol."""
        upper: asyncio.BaseProtocol = self._upper
        return upper

    # -- the end --------------------------------------------------------------

    def _too_slow(self) -> None:
        self._timer = None
        self._error = TimeoutError(f"no TLS handshake within {HANDSHAKE_TIMEOUT:g} seconds")
        self.abort()

    def _broken(self, error: ssl.SSLError) -> None:
        """TLS failed: the alert leaves, and nothing else."""
        self._closing = True
        self._error = error
        self._end()

    def _end(self) -> None:
        """All is said."""
        self._stop_timer()
        self._send()
        self._lower.close()

    def _lost(self, exc: BaseException | None) -> None:
        if not self._told_lost:
            self._told_lost = True
            self._upper.connection_lost(exc)
