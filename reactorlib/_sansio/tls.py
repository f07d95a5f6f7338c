"""
One side of a TLS connection, from bytes to bytes.

The standard library's `ssl` does the cryptography, over two buffers in memory.
`TLSEngine` adds what it takes to be used without care: nothing that the peer
does makes a method raise, plaintext can be written at any time, and the result
does not depend on how the ciphertext was cut.

The owner moves bytes between the engine and a transport:

    engine = TLSEngine(context, server_hostname="example.com")
    send(engine)                            # a client speaks first
    ...
    plaintext = engine.receive(ciphertext)  # for each read
    send(engine)                            # handshakes, alerts, answers
    ...
    engine.write(plaintext)                 # any number of times, then
    send(engine)

where `send` is `while data := engine.take(): transport.write(data)`. Writes are
only collected; `take` encrypts what there is by then. So many small writes leave
in one record, and `handshake_done` can be acted on before anything is sent. An
owner that collects writes itself uses `seal`, which is `write` and one `take`.

States: handshake (writes wait) -> open (`handshake_done`) -> `finished`, for one
of three causes. The peer closed in an orderly way: `peer_closed`, and this side
may still write, then `close`. Or TLS failed: `error`, and one more `take` gives
the alert that tells the peer. Or the transport ended before the peer had said
that it would (`eof`): `error` is an `ssl.SSLEOFError`, and the last bytes may be
missing; an attacker can do that, so it is no orderly end.

What the peer sends is never kept beyond one incomplete record or handshake
message, which OpenSSL limits to some 100 KiB; what the owner writes is kept
until the handshake is done, and `waiting` says how much that is.
"""

from __future__ import annotations

import ssl
from collections import deque

__all__ = ["TLSEngine"]

#: The most plaintext in a record: no read from OpenSSL gives more.  RFC 8446 section 5.1.
_RECORD = 16384
#: Plaintext to encrypt at once: so much that the cost of a call does not count, and so
#: little that OpenSSL's buffer is not moved while it grows.
_CHUNK = 65536


class TLSEngine:
    """
    One side of a TLS connection. A client's first message can be taken at once.

    Args:
        context: the settings. They are not changed.
        server_side: whether this side is the server.
        server_hostname: for a client, the name or address that the server's
            certificate has to be for; names are sent to the server, too.
        session: a client's earlier session with the same server, to resume.

    Raises:
        ValueError: the context is to check host names, and there is none; or
            the name cannot be one.

    Attributes:
        ssl_object: what `ssl` knows of the connection. Not for reading or writing.
        handshake_done: whether the handshake is over, and was good.
        finished: whether no more plaintext will come.
        peer_closed: whether the peer has closed its side in an orderly way.
        closing: whether `close` was called.
        notified: whether `take` has given our close_notify.
        error: why it failed; None while it has not.
        outgoing: the ciphertext that `take` would give without encrypting anything.
            To be asked whether it has any, which is less work; not to be read.
        waiting: how many bytes of plaintext have been written and not yet encrypted.
    """

    __slots__ = (
        "_in",
        "_waiting",
        "closing",
        "error",
        "finished",
        "handshake_done",
        "notified",
        "outgoing",
        "peer_closed",
        "ssl_object",
        "waiting",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        if context.check_hostname and not (server_side or server_hostname):
            # `ssl` would check nothing, and say nothing.
            raise ValueError(
                "this SSLContext checks host names, so a client needs the server's: pass "
                "server_hostname, or use optionsForClientTLS(hostname)"
            )
        self._in = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self._waiting: deque[bytes | memoryview] = deque()
        self.waiting = 0
        self.handshake_done = False
        self.finished = False
        self.peer_closed = False
        self.closing = False
        self.notified = False
        self.error: ssl.SSLError | None = None
        self.ssl_object = context.wrap_bio(
            self._in, self.outgoing, server_side, None if server_side else server_hostname, session
        )
        if not server_side:
            self._shake_hands()

    # -- bytes ----------------------------------------------------------------

    def receive(self, data: bytes) -> bytes:
        """
        Take ciphertext from the peer; the plaintext that it completes, or b"".

        `handshake_done`, `finished` and with it `peer_closed` or `error` may have
        become true; the plaintext came before that. There may be something to
        `take`. Once `finished`, data is dropped.
        """
        if self.finished:
            return b""
        self._in.write(data)  # after what was given to `precede`
        if not (self.handshake_done or self._shake_hands()):
            return b""
        incoming = self._in
        read = self.ssl_object.read
        first = b""
        more: list[bytes] = []
        try:
            # No more is asked for than can come, since room is made for as much. A record's
            # plaintext is shorter than the record, but a part of that may have come before.
            while size := incoming.pending:
                if size > _RECORD:
                    size = _RECORD
                if not (piece := read(size)):
                    self.finished = self.peer_closed = True
                    break
                if first:
                    more.append(piece)
                else:
                    first = piece
                if len(piece) == size and self.ssl_object.pending():
                    more.append(read(_RECORD))
        except ssl.SSLWantReadError:
            pass  # a record is incomplete, or was not one of application data
        except ssl.SSLZeroReturnError:
            # As b"", where this side has closed before.
            self.finished = self.peer_closed = True
        except ssl.SSLError as error:
            self._fail(error)
        return b"".join([first, *more]) if more else first

    def precede(self, data: bytes) -> None:
        """
        Take ciphertext that came before anything that is given to `receive`.

        It is looked at by the next `receive`, whose data may be b"".
        """
        if not self.finished:
            self._in.write(data)

    def eof(self) -> None:
        """The transport ended: the peer can send no more."""
        if not self.finished:
            when = "" if self.handshake_done else " during the TLS handshake"
            text = f"the connection ended{when} without a close_notify from the peer"
            self._fail(ssl.SSLEOFError(ssl.SSL_ERROR_EOF, text))

    def write(self, data: bytes) -> None:
        """Add plaintext for `take` to encrypt. After `close` or an error it is dropped."""
        if data and not self.closing and self.error is None:
            self._waiting.append(data)
            self.waiting += len(data)

    def close(self) -> None:
        """
        Close this side: a close_notify follows what has been written.

        What the peer sends until it closes too is still received. If the handshake
        is not done and nothing has been written, nothing more is sent.
        """
        self.closing = True

    def take(self) -> bytes:
        """
        Return ciphertext for the peer, to be called until that is b"".

        It encrypts what waits, if the handshake is done. A piece is not much
        larger than 64 KiB.
        """
        if self.handshake_done and self.error is None:
            if self._waiting:
                self._encrypt()
            if self.closing and not (self._waiting or self.notified):
                self._notify()
        return self.outgoing.read()

    def seal(self, data: bytes) -> bytes:
        """
        Write, and take: the short way where nothing waits, and `data` is not large.

        Afterwards there may be more to take only if something is `waiting`, or `closing`.
        """
        if (
            self._waiting
            or self.closing
            or not (self.handshake_done and data)
            or self.error is not None
            or len(data) > _CHUNK
        ):
            self.write(data)
            return self.take()
        # As _encrypt, which says more.
        try:
            sent = self.ssl_object.write(data)
        except ssl.SSLWantReadError:
            sent = 0
        except ssl.SSLError as error:
            self._fail(error)
            return self.outgoing.read()
        if sent != len(data):
            self.write(memoryview(data)[sent:])  # type: ignore[arg-type]  # as good as bytes
        return self.outgoing.read()

    # -- what has been agreed -------------------------------------------------

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate in DER; None if it has sent none so far."""
        try:
            return self.ssl_object.getpeercert(binary_form=True)
        except ValueError:
            return None  # no handshake yet

    @property
    def selected_protocol(self) -> str | None:
        """The application protocol that both sides have agreed on (ALPN), if any."""
        return self.ssl_object.selected_alpn_protocol()

    # -- steps ----------------------------------------------------------------

    def _shake_hands(self) -> bool:
        """Get on with the handshake; whether it is done."""
        try:
            self.ssl_object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._fail(error)
            return False
        self.handshake_done = True
        return True

    def _encrypt(self) -> None:
        """Encrypt some of what waits."""
        waiting = self._waiting
        data = waiting.popleft()
        if len(data) < _CHUNK and waiting:
            pieces = [data]
            size = len(data)
            while waiting and size < _CHUNK:
                pieces.append(waiting.popleft())
                size += len(pieces[-1])
            data = b"".join(pieces)
        if len(data) > _CHUNK:
            view = memoryview(data)
            waiting.appendleft(view[_CHUNK:])
            data = view[:_CHUNK]
        try:
            sent = self.ssl_object.write(data)
        except ssl.SSLWantReadError:
            # The peer renegotiates, and has to speak next. OpenSSL wants to be given
            # the same data again.
            sent = 0
        except ssl.SSLError as error:
            self._fail(error)
            return
        self.waiting -= sent
        if sent < len(data):
            waiting.appendleft(memoryview(data)[sent:])

    def _notify(self) -> None:
        """Send our close_notify."""
        self.notified = True
        try:
            self.ssl_object.unwrap()
        except ssl.SSLWantReadError:
            pass  # `unwrap` looks for the peer's, too; that is for `receive` to find
        except ssl.SSLError as error:
            self._fail(error)

    def _fail(self, error: ssl.SSLError) -> None:
        self.finished = True
        # Its frames are ours and those of `ssl`, and refer to whoever has called them: a
        # failed connection would be left for the collector of garbage to find.
        self.error = error.with_traceback(None)
        self._waiting.clear()
        self.waiting = 0
