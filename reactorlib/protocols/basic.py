"""
Protocols that cut the byte stream into lines or strings.

Each owns a core from `reactorlib._sansio` that does the cutting, and delivers
what comes out of it for as long as the protocol wants more.
"""

from __future__ import annotations

import contextlib
from typing import Any

from reactorlib._sansio.lines import LineSplitter, LineTooLong
from reactorlib._sansio.netstrings import NetstringParseError, NetstringParser, encode
from reactorlib.internet.protocol import Protocol

__all__ = ["LineReceiver", "NetstringParseError", "NetstringReceiver"]

# Subclasses own every attribute name but the public ones, and few of them call
# `__init__`. So what is private here has two underscores, and is made when the
# first bytes come.


class _PauseableMixin:
    """
    Be the push producer of what is received.

    Attributes:
        paused: whether nothing is delivered now; what comes meanwhile is kept.
    """

    paused = False
    transport: Any

    def pauseProducing(self) -> None:
        """Deliver nothing, and let the peer wait, until `resumeProducing`."""
        self.paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Deliver what has been kept, then what comes."""
        self.paused = False
        self.transport.resumeProducing()
        self.dataReceived(b"")

    def stopProducing(self) -> None:
        """Deliver nothing more, and hang up."""
        self.paused = True
        self.transport.stopProducing()

    def dataReceived(self, data: bytes) -> Any:
        """Take bytes; none, to deliver what has been kept."""
        raise NotImplementedError


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
        if data:
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
                        return answer
                    continue
                if transport is not None and transport.disconnecting:
                    return answer
            return answer
        finally:
            self.__busy = False

    def __begin(self) -> LineSplitter:
        lines = self.__lines = LineSplitter(self.delimiter, self.MAX_LENGTH)
        # These are looked at after each line, and an instance's own attributes are
        # found so much faster than its class's that a line costs a seventh less.
        for name in ("paused", "line_mode", "delimiter", "MAX_LENGTH"):
            # A subclass may compute one, in a property without a setter.
            with contextlib.suppress(AttributeError):
                setattr(self, name, getattr(self, name))
        return lines


class NetstringReceiver(Protocol):
    """
    Sends and receives netstrings: https://cr.yp.to/proto/netstrings.txt.

    Hangs up on a peer that sends anything else, or a string over `MAX_LENGTH`.

    Attributes:
        MAX_LENGTH: how many bytes a received string may have.
        brokenPeer: 1 after the peer sent what is no netstring, or too long a one;
            all that it sends after that is dropped.
    """

    # As in Twisted: what five digits can say.
    MAX_LENGTH = 99999
    brokenPeer = 0
    __strings: NetstringParser
    __busy = False

    def makeConnection(self, transport: Any) -> None:
        """Take the transport, and expect a netstring."""
        self.__strings = NetstringParser(self.MAX_LENGTH)
        self.brokenPeer = 0
        super().makeConnection(transport)

    def stringReceived(self, string: bytes) -> None:
        """A string came in, without what framed it. For subclasses."""
        raise NotImplementedError("a NetstringReceiver needs a stringReceived()")

    def _give_back(self) -> bytes:
        """What has come and was not delivered: it is the transport's when TLS begins."""
        return self.__strings.take()

    def sendString(self, string: bytes) -> None:
        """Send `string` as a netstring."""
        self.transport.write(encode(string))

    def dataReceived(self, data: bytes) -> None:
        """
        Deliver the strings that `data` completes.

        It may be called while it delivers, with bytes that follow all others.
        """
        if self.brokenPeer:
            return
        strings = self.__strings
        strings.feed(data)
        if self.__busy:
            return
        self.__busy = True
        try:
            while True:
                strings.limit = self.MAX_LENGTH
                try:
                    string = strings.next_string()
                except NetstringParseError:
                    self.brokenPeer = 1
                    self.transport.loseConnection()
                    return
                if string is None:
                    return
                self.stringReceived(string)
        finally:
            self.__busy = False
