"""
A lookup table for Postfix, served over TCP: tcp_table(5).

Postfix asks with a line `get KEY`, and gets a line with a status: 200 and the
value, 500 if there is none, 400 if something went wrong and it should ask again
later. Keys and values are quoted as in URLs.
"""

from __future__ import annotations

import logging
import re
from collections import UserDict
from typing import Any

from reactorlib.internet.defer import Deferred, maybeDeferred, succeed
from reactorlib.internet.protocol import ServerFactory, connectionDone
from reactorlib.protocols.basic import LineReceiver
from reactorlib.protocols.policies import TimeoutMixin
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

__all__ = [
    "PostfixTCPMapDeferringDictServerFactory",
    "PostfixTCPMapDictServerFactory",
    "PostfixTCPMapServer",
    "quote",
    "unquote",
]

_log = logging.getLogger("reactorlib.protocols.postfix")

# tcp_table(5), "ENCODING": % and what is not printable ASCII; a space is not.
_UNSAFE = re.compile(rb"[^!-$&-~]")
_QUOTED = re.compile(rb"%([0-9A-Fa-f]{2})")


def quote(s: bytes) -> bytes:
    """Write `s` without whitespace, control characters and bytes over 126."""
    return _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], s)


def unquote(s: bytes) -> bytes:
    """Undo `quote`. A percent sign without two hexadecimal digits is itself."""
    return _QUOTED.sub(lambda match: bytes([int(match[1], 16)]), s)


class PostfixTCPMapServer(LineReceiver, TimeoutMixin):
    """
    Answers Postfix.

    The factory's `get(key)` gives the value for a key, both bytes, or None; or a
    Deferred, or it is a coroutine function. While it is at work no other request
    is read, so that answers come in the order of the questions. What it raises is
    answered with 400 and the error's text. What is neither bytes nor None is a mistake
    of the table's: it is answered with 400, and reported.

    Attributes:
        timeout: after how many seconds without a request to hang up.
        MAX_LENGTH: how many bytes a request or an answer may have.
    """

    timeout: float = 600
    delimiter = b"\n"
    #: tcp_table(5), "PROTOCOL DESCRIPTION".
    MAX_LENGTH = 4096
    factory: Any
    __lookup: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        """Postfix has connected."""
        self.setTimeout(self.timeout)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Postfix has left; a lookup is cancelled."""
        self.setTimeout(None)
        lookup, self.__lookup = self.__lookup, None
        if lookup is not None:
            lookup.cancel()
        super().connectionLost(reason)

    def sendCode(self, code: int, message: bytes = b"") -> None:
        """
        Answer.

        Args:
            code: the status.
            message: a quoted value, or text; line breaks in it become spaces.
        """
        line = b"%d %s" % (code, re.sub(rb"[\x00-\x1f\x7f]", b" ", message))
        self.sendLine(line)

    def lineReceived(self, line: bytes) -> None:
        """A request came in."""
        self.resetTimeout()
        request, given, rest = line.removesuffix(b"\r").partition(b" ")
        if request == b"get":
            if not given:
                self.sendCode(400, b"Command 'get' takes 1 parameters.")
            else:
                self.do_get(rest)
        elif request == b"put":
            if b" " not in rest:
                self.sendCode(400, b"Command 'put' takes 2 parameters.")
            else:
                self.do_put(rest)
        else:
            self.sendCode(400, b"unknown command")

    def do_get(self, key: bytes) -> None:
        """
        Look a key up and answer.

        Args:
            key: as it came, quoted.
        """
        lookup: Deferred[Any] = maybeDeferred(self.factory.get, unquote(key))
        self.__lookup = lookup
        lookup.addCallbacks(self.__found, self.__failed)
        if self.__lookup is not None:
            self.pauseProducing()

    def do_put(self, keyAndValue: bytes) -> None:
        """Refuse to store something: Postfix does not ask for it."""
        self.sendCode(500, b"put is not implemented yet.")

    def __found(self, value: object) -> None:
        if self.__lookup is None:
            return
        if value is None:
            self.sendCode(500)
        elif not isinstance(value, bytes):
            self.sendCode(400, b"the table has given what is no value")
            wrong = TypeError(
                f"{self.factory!r}.get() has to give bytes or None, and not {type(value).__name__}"
            )
            report(_log, "a lookup for Postfix gave what is no value", Failure(wrong))
        else:
            quoted = quote(value)
            # tcp_table(5): the limit counts the status too, and the end of the line.
            if len(quoted) + 5 > self.MAX_LENGTH:
                self.sendCode(400, b"the value is too long")
            else:
                self.sendCode(200, quoted)
        self.__answered()

    def __failed(self, failure: Failure) -> None:
        if self.__lookup is None:
            return
        text = failure.getErrorMessage().encode("utf-8", "replace")
        self.sendCode(400, text[: self.MAX_LENGTH - 5])
        self.__answered()

    def __answered(self) -> None:
        self.__lookup = None
        if self.paused:
            self.resumeProducing()


class PostfixTCPMapDictServerFactory(UserDict[bytes, bytes], ServerFactory[PostfixTCPMapServer]):
    """
    A table that is a dictionary.

    Args:
        data: its keys and values, both bytes.
    """

    protocol = PostfixTCPMapServer


class PostfixTCPMapDeferringDictServerFactory(ServerFactory[PostfixTCPMapServer]):
    """
    A table that is a dictionary, and answers with Deferreds.

    Args:
        data: its keys and values, both bytes.
    """

    protocol = PostfixTCPMapServer

    def __init__(self, data: dict[bytes, bytes] | None = None) -> None:
        self.data: dict[bytes, bytes] = {} if data is None else dict(data)

    def get(self, key: bytes) -> Deferred[bytes | None]:
        """A Deferred that has fired with the value, or None."""
        return succeed(self.data.get(key))
