"""Protocols that receive lines."""

from __future__ import annotations

import contextlib
from typing import Any

from reactorlib._sansio.lines import LineSplitter, LineTooLong
from reactorlib.internet.protocol import Protocol
from reactorlib.protocols.basic._pausing import _PauseableMixin

__all__ = ["LineOnlyReceiver", "LineReceiver"]


def _make_own(receiver: Protocol, *names: str) -> None:
    """
    Copy attributes of the class to the instance.

    They are looked at after each line, and an instance's own are found so much faster
    than its class's that a line costs a seventh less.
    """
    for name in names:
        # A subclass may compute one, in a property without a setter.
        with contextlib.suppress(AttributeError):
            setattr(receiver, name, getattr(receiver, name))


class LineReceiver(Protocol, _PauseableMixin):
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

    delimiter = b"\r\n"
    # As in Twisted: well above every line that SMTP, IMAP, HTTP or IRC allow.
    MAX_LENGTH = 16384
    line_mode = 1
    __lines: LineSplitter | None = None
    __busy = False
    __fresh = False  # nothing is kept

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
        return b"" if self.__lines is None else self.__lines.take()

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
        lines = self.__lines
        if lines is None:
            lines = self.__begin()
        if self.__fresh:
            # As a peer does that waits for answers: one line, and nothing else.
            delimiter = self.delimiter
            end = len(data) - len(delimiter)
            if (
                data.find(delimiter) == end >= 0
                and self.line_mode
                and end <= self.MAX_LENGTH
                and not (self.paused or self.__busy)
                and ((transport := self.transport) is None or not transport.disconnecting)
            ):
                self.__busy = True
                try:
                    self.lineReceived(data[:end])
                finally:
                    self.__busy = False
                if self.__fresh:
                    return None
                data = b""
        if data:
            self.__fresh = False
            lines.feed(data)
        if self.__busy:
            return None
        self.__busy = True
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
                        self.__fresh = lines.empty
                        return answer
                    continue
                if transport is not None and transport.disconnecting:
                    return answer
            return answer
        finally:
            self.__busy = False

    def __begin(self) -> LineSplitter:
        self.__lines = LineSplitter(self.delimiter, self.MAX_LENGTH)
        _make_own(self, "paused", "line_mode", "delimiter", "MAX_LENGTH")
        return self.__lines


class LineOnlyReceiver(Protocol):
    """
    Receives lines, and nothing but lines; cannot be paused.

    Each line becomes a call of `lineReceived`. Once the transport is disconnecting
    no line is delivered, and what the peer still sends is dropped.

    Attributes:
        delimiter: what ends a line.
        MAX_LENGTH: how many bytes a line may have, its delimiter not counted.
    """

    delimiter = b"\r\n"
    # As in Twisted, and in `LineReceiver`.
    MAX_LENGTH = 16384
    __lines: LineSplitter | None = None
    __busy = False
    __fresh = False  # nothing is kept

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
        return b"" if self.__lines is None else self.__lines.take()

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver the lines that `data` completes.

        It may be called while it delivers, with bytes that follow all others.
        """
        lines = self.__lines
        if lines is None:
            lines = self.__lines = LineSplitter(self.delimiter, self.MAX_LENGTH)
            _make_own(self, "delimiter", "MAX_LENGTH")
        if self.__fresh:
            # As a peer does that waits for answers: one line, and nothing else.
            delimiter = self.delimiter
            end = len(data) - len(delimiter)
            if (
                data.find(delimiter) == end >= 0
                and end <= self.MAX_LENGTH
                and not self.__busy
                and ((transport := self.transport) is None or not transport.disconnecting)
            ):
                self.__busy = True
                try:
                    self.lineReceived(data[:end])
                finally:
                    self.__busy = False
                if self.__fresh:
                    return
                data = b""  # more has come meanwhile
            self.__fresh = False
        lines.feed(data)
        if self.__busy:
            return
        self.__busy = True
        try:
            while True:
                # Without a transport, as in a test, nobody can hang up.
                if (transport := self.transport) is not None and transport.disconnecting:
                    lines.take()
                    return
                delimiter = self.delimiter
                limit = self.MAX_LENGTH
                if lines.delimiter is not delimiter or lines.limit is not limit:
                    lines.expect(delimiter, limit)
                try:
                    ready = lines.ready()
                except LineTooLong:
                    self.lineLengthExceeded(lines.take())
                    continue
                if ready is None:
                    self.__fresh = lines.empty
                    return
                for line in ready:
                    self.lineReceived(line)
                    if (
                        ((transport := self.transport) is not None and transport.disconnecting)
                        or self.delimiter is not delimiter
                        or self.MAX_LENGTH is not limit
                    ):
                        break
        finally:
            self.__busy = False
