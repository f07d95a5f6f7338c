"""Protocols that receive lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reactorlib._sansio.lines import LineSplitter, LineTooLong
from reactorlib.internet.protocol import Protocol
from reactorlib.protocols.basic._own import make_own
from reactorlib.protocols.basic._pausing import _PauseableMixin

__all__ = ["LineOnlyReceiver", "LineReceiver"]


class _CutAhead(Protocol):
    """
    What receives lines, and mostly cuts a read into them at once.

    A read that holds no line too long is cut by one call. What it leaves is kept, while
    it is shorter than the next read. All else, as a line that comes in small pieces, or
    bytes that come while a line is delivered, is for the splitter.
    """

    delimiter = b"\r\n"
    # As in Twisted: well above every line that SMTP, IMAP, HTTP or IRC allow.
    MAX_LENGTH = 16384

    #: The lines of a read that are not delivered yet, what ended them, and what follows them.
    _cut_ready: Iterator[bytes] = iter(())
    _cut_at = delimiter
    _cut_rest = b""
    #: Whether nothing but `_cut_rest` is kept; None while the lines of `_cut_ready` are
    #: delivered; False where the splitter has everything.
    _cut_plain: bool | None = False
    _cut_lines: LineSplitter | None = None
    #: Whether somebody delivers what the splitter has.
    _cut_busy = False
    #: What is looked at between two lines.
    _cut_own: tuple[str, ...] = ("delimiter", "MAX_LENGTH")

    def _cut_splitter(self) -> LineSplitter:
        """The splitter, with everything in it that has come and was not delivered."""
        splitter = self._cut_lines
        if splitter is None:
            splitter = self._cut_lines = LineSplitter(self.delimiter, self.MAX_LENGTH)
            make_own(self, *self._cut_own)
        if self._cut_plain is not False:
            self._cut_busy = self._cut_plain is None
            self._cut_plain = False
            splitter.feed(self._cut_at.join([*self._cut_ready, self._cut_rest]))
            self._cut_rest = b""
        return splitter


class LineReceiver(_CutAhead, _PauseableMixin):
    """
    Receives lines, or raw data, and switches between the two at any byte.

    Each line becomes a call of `lineReceived`. After `setRawMode` everything
    that follows goes to `rawDataReceived` as it comes, until `setLineMode`.
    Once the transport is disconnecting no line is delivered, and what the peer
    still sends in line mode is dropped.

    Attributes:
        delimiter: what ends a line; may change from one line to the next.
        MAX_LENGTH: how many bytes a line may have, its delimiter not counted.
        line_mode: whether lines are received, rather than raw data.
    """

    line_mode = 1
    _cut_own = ("paused", "line_mode", "delimiter", "MAX_LENGTH")

    def lineReceived(self, line: bytes) -> None:
        """
        A line came in. For subclasses.

        Args:
            line: without its delimiter.
        """
        raise NotImplementedError("a LineReceiver needs a lineReceived()")

    def rawDataReceived(self, data: bytes) -> Any:
        """
        Bytes came in, in raw mode. For subclasses.

        To end raw mode, pass what is not part of the raw data to `setLineMode`.
        """
        raise NotImplementedError("a LineReceiver that uses raw mode needs a rawDataReceived()")

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line is over `MAX_LENGTH`, or will be. Hangs up, unless overridden.

        The bytes are gone from the buffer. Those that should be received after
        all go to `setLineMode`.

        Args:
            line: all that has come since the line began: a part of it, or more.
        """
        self.transport.loseConnection()

    def setLineMode(self, extra: bytes = b"") -> Any:
        """
        Receive lines from here on.

        Args:
            extra: bytes that `rawDataReceived` was given and that belong to the
                lines. From within `lineReceived` there are none to give back.
        """
        self.line_mode = 1
        if extra:
            return self.dataReceived(extra)
        return None

    def setRawMode(self) -> None:
        """Receive raw data from here on, from the byte after the current line."""
        self.line_mode = 0

    def clearLineBuffer(self) -> bytes:
        """Forget what has come in and was not delivered, and return it."""
        return self._cut_splitter().take()

    # What has come and was not delivered is the transport's when TLS begins.
    _give_back = clearLineBuffer

    def sendLine(self, line: bytes) -> None:
        """Send `line` and the delimiter."""
        self.transport.write(line + self.delimiter)

    def dataReceived(self, data: bytes) -> Any:
        """
        Deliver the lines that `data` completes, or the raw data.

        It may be called while it delivers, with bytes that follow all others.

        Returns:
            what `rawDataReceived` returned last.
        """
        if (
            self._cut_plain
            and self.line_mode
            and not self.paused
            and ((transport := self.transport) is None or not transport.disconnecting)
        ):
            try:
                if not self._cut_rest:
                    # As a peer does that waits for answers: one line, and nothing else.
                    line, ended, rest = data.partition(self.delimiter)
                    if ended and not rest and len(line) <= self.MAX_LENGTH:
                        self._cut_plain = None
                        self.lineReceived(line)
                        if self._cut_plain is None:
                            self._cut_plain = True
                            return None
                        self._cut_busy = False
                        return self.dataReceived(b"")
                data = self._cut_rest + data
                limit = self.MAX_LENGTH
                if len(data) <= limit:
                    self._cut_at = delimiter = self.delimiter
                    cut = data.split(delimiter)
                    self._cut_rest = cut.pop()
                    self._cut_ready = each = iter(cut)
                    self._cut_plain = None
                    for line in each:
                        self.lineReceived(line)
                        if (
                            ((transport := self.transport) is not None and transport.disconnecting)
                            or not self.line_mode
                            or self.delimiter is not delimiter
                            or self.MAX_LENGTH is not limit
                            or self.paused
                        ):
                            break
                    else:
                        if cut and self._cut_plain is None:
                            self._cut_plain = True
                            return None
                    data = b""
                else:
                    self._cut_rest = b""
            except BaseException:
                self._cut_splitter()
                self._cut_busy = False
                raise
            self._cut_splitter()
            self._cut_busy = False
            if transport is not None and transport.disconnecting:
                return None  # what has come is still there for who asks
        lines = self._cut_splitter()
        if data:
            lines.feed(data)
        if self._cut_busy:
            return None
        self._cut_busy = True
        answer = exceeded = None
        try:
            while not self.paused:
                if not self.line_mode:
                    data = lines.take()
                    if not data:
                        return answer
                    answer = self.rawDataReceived(data)
                    continue
                # Without a transport, as in a test, nobody can hang up.
                if (transport := self.transport) is not None and transport.disconnecting:
                    lines.take()
                    return answer
                delimiter = self.delimiter
                limit = self.MAX_LENGTH
                if lines.delimiter is not delimiter or lines.limit is not limit:
                    lines.expect(delimiter, limit)
                try:
                    ready = lines.ready()
                except LineTooLong:
                    data = lines.take()
                    if (data, delimiter, limit) == exceeded:
                        # Everything was given back: it takes more bytes to get on.
                        lines.feed(data)
                        return answer
                    exceeded = data, delimiter, limit
                    self.lineLengthExceeded(data)
                    continue
                if ready is None:
                    return answer
                for line in ready:
                    self.lineReceived(line)
                    if (
                        ((transport := self.transport) is not None and transport.disconnecting)
                        or not self.line_mode
                        or self.delimiter is not delimiter
                        or self.MAX_LENGTH is not limit
                        or self.paused
                    ):
                        break
                else:
                    if lines.idle:
                        # It came after a line of this read, so it is no longer than that.
                        self._cut_rest = lines.take()
                        self._cut_plain = True
                        return answer
                    continue
                if transport is not None and transport.disconnecting:
                    return answer
            return answer
        finally:
            self._cut_busy = False


class LineOnlyReceiver(_CutAhead):
    """
    Receives lines, and nothing but lines; cannot be paused.

    Each line becomes a call of `lineReceived`. Once the transport is disconnecting
    no line is delivered, and what the peer still sends is dropped.

    Attributes:
        delimiter: what ends a line. What changes it, or `MAX_LENGTH`, holds for the
            next read: the lines of one may have been cut when the first is delivered.
        MAX_LENGTH: how many bytes a line may have, its delimiter not counted.
    """

    def lineReceived(self, line: bytes) -> None:
        """
        A line came in. For subclasses.

        Args:
            line: without its delimiter.
        """
        raise NotImplementedError("a LineOnlyReceiver needs a lineReceived()")

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line is over `MAX_LENGTH`, or will be. Hangs up, unless overridden.

        The bytes are gone.

        Args:
            line: all that has come since the line began: a part of it, or more.
        """
        self.transport.loseConnection()

    def sendLine(self, line: bytes) -> None:
        """Send `line` and the delimiter, as one."""
        self.transport.writeSequence((line, self.delimiter))

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        return self._cut_splitter().take()

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver the lines that `data` completes.

        It may be called while it delivers, with bytes that follow all others.
        """
        if self._cut_plain:
            try:
                if not self._cut_rest:
                    # As a peer does that waits for answers: one line, and nothing else.
                    line, ended, rest = data.partition(self.delimiter)
                    if (
                        ended
                        and not rest
                        and len(line) <= self.MAX_LENGTH
                        and not self.transport.disconnecting
                    ):
                        self._cut_plain = None
                        self.lineReceived(line)
                        if self._cut_plain is None:
                            self._cut_plain = True
                            return
                        self._cut_busy = False
                        self.dataReceived(b"")
                        return
                data = self._cut_rest + data
                if len(data) <= self.MAX_LENGTH and not self.transport.disconnecting:
                    self._cut_at = delimiter = self.delimiter
                    lines = data.split(delimiter)
                    self._cut_rest = lines.pop()
                    self._cut_ready = ready = iter(lines)
                    self._cut_plain = None
                    for line in ready:
                        self.lineReceived(line)
                        if self.transport.disconnecting:
                            break
                    else:
                        if lines and self._cut_plain is None:
                            self._cut_plain = True
                            return
                    data = b""
                else:
                    self._cut_rest = b""
            except BaseException:
                self._cut_splitter()
                self._cut_busy = False
                raise
            self._cut_splitter()
            self._cut_busy = False
        splitter = self._cut_splitter()
        splitter.feed(data)
        if not self._cut_busy:
            self._cut_busy = True
            try:
                self.__deliver(splitter)
            finally:
                self._cut_busy = False

    def __deliver(self, splitter: LineSplitter) -> None:
        delivered = False
        while True:
            # Without a transport, as in a test, nobody can hang up.
            transport = self.transport
            if transport is not None and transport.disconnecting:
                splitter.take()
                return
            splitter.expect(self.delimiter, self.MAX_LENGTH)
            try:
                ready = splitter.ready()
            except LineTooLong:
                self.lineLengthExceeded(splitter.take())
                continue
            if ready is None:
                if transport is not None and (delivered or splitter.empty):
                    # It came after a line of this read, so it is no longer than that.
                    self._cut_rest = splitter.take()
                    self._cut_plain = True
                return
            delivered = True
            if transport is None:
                for line in ready:
                    self.lineReceived(line)
            else:
                for line in ready:
                    self.lineReceived(line)
                    if self.transport.disconnecting:
                        break
