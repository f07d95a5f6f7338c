"""A quote of the day: whoever connects gets a quote, and is hung up on (RFC 865)."""

from __future__ import annotations

import logging
from typing import Any

from reactorlib.application.internet import StreamServerEndpointService
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.protocol import Factory, Protocol, connectionDone
from reactorlib.internet.threads import deferToThread
from reactorlib.python import usage
from reactorlib.python.failure import Failure
from reactorlib.tap._common import listen
from reactorlib.tap._quoters import FortuneQuoter, IQuoter, StaticQuoter

__all__ = ["QOTD", "Options", "QOTDFactory", "makeService"]

_log = logging.getLogger("reactorlib.tap.qotd")


class QOTD(Protocol):
    """Sends a quote, and closes the connection."""

    factory: QOTDFactory
    _quote: Deferred[Any] | None = None

    def connectionMade(self) -> None:
        """Ask for a quote, in a thread: it may have to be read."""
        self._quote = deferToThread(self.factory.quoter.getQuote)
        self._quote.addCallbacks(self._said, self._failed)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody waits for it any more."""
        if self._quote is not None:
            self._quote.cancel()

    def _said(self, quote: str) -> None:
        text = quote.replace("\r\n", "\n").replace("\n", "\r\n")
        self.transport.write(text.encode("utf-8", "replace") + b"\r\n")
        self.transport.loseConnection()

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.error("there is no quote: %s", failure.getErrorMessage())
        self.transport.loseConnection()


class QOTDFactory(Factory[QOTD]):
    """
    Sends quotes.

    Args:
        quoter: where they come from.
    """

    protocol = QOTD

    def __init__(self, quoter: IQuoter) -> None:
        self.quoter = quoter


class Options(usage.Options):
    """Where to listen, and what to say."""

    synopsis = "[options]"
    longdesc = 'In a file of fortunes, a line of a single "%" stands between two quotes.'

    optParameters = [  # noqa: RUF012
        ["port", "p", 8007, "Port to listen at: a number or an endpoint."],
        ["static", "s", "An apple a day keeps the doctor away.", "A static quote to display."],
        ["file", "f", None, "A fortune-format text file to read quotes from."],
    ]

    compData = usage.Completions(optActions={"file": usage.CompleteFiles("*")})

    def postOptions(self) -> None:
        """See that there is a quote in the file."""
        if self["file"] is not None:
            try:
                FortuneQuoter([self["file"]]).getQuote()
            except OSError as why:
                raise usage.UsageError(f"{self['file']} cannot be read: {why.strerror}") from why
            except ValueError as why:
                raise usage.UsageError(str(why)) from why


def makeService(config: Any) -> StreamServerEndpointService:
    """
    The server.

    Args:
        config: what the command line has said.

    Raises:
        UsageError: the port is none.
    """
    name = config["file"]
    quoter: IQuoter = FortuneQuoter([name]) if name else StaticQuoter(config["static"])
    return listen(config["port"], QOTDFactory(quoter))
