"""
The quote of the day: connect, get a quote, and the server hangs up.

It shows where a program's own matter belongs. The quoters know of no network and
no framework, and can be used, and tested, without; the protocol knows nothing of
where quotes come from. The factory brings the two together.

    python quotes.py
    python quotes.py --quote "An apple a day keeps the doctor away."
    python quotes.py --fortunes fortunes.txt
    nc localhost 8007
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Protocol as Interface

import three_ways

from reactorlib.internet import reactor
from reactorlib.internet.protocol import Factory, Protocol

# -- quotes: plain Python -----------------------------------------------------


class Quoter(Interface):
    """Where quotes come from."""

    def get_quote(self) -> str:
        """A quote."""


class StaticQuoter:
    """Always the same quote."""

    def __init__(self, quote: str) -> None:
        self.quote = quote

    def get_quote(self) -> str:
        """The quote."""
        return self.quote


class FortuneQuoter:
    """One of the quotes in a file, in which lines of a single "%" stand between them."""

    def __init__(self, path: Path) -> None:
        quotes = path.read_text(encoding="utf-8").split("\n%\n")
        self.quotes = [quote.strip() for quote in quotes]

    def get_quote(self) -> str:
        """Any of them."""
        return random.choice(self.quotes)


# -- the quote of the day protocol (RFC 865) ----------------------------------


class QuoteOfTheDay(Protocol):
    """One conversation: a short one."""

    factory: QuoteFactory

    def connectionMade(self) -> None:
        """Send a quote and hang up; what was written still leaves."""
        quote = self.factory.quoter.get_quote()
        self.transport.write(quote.replace("\n", "\r\n").encode() + b"\r\n")
        self.transport.loseConnection()


class QuoteFactory(Factory[QuoteOfTheDay]):
    """Makes the conversations, and keeps what they share: the quoter."""

    protocol = QuoteOfTheDay

    def __init__(self, quoter: Quoter) -> None:
        self.quoter = quoter


# -- the program --------------------------------------------------------------


def start(options: argparse.Namespace) -> None:
    """Choose a quoter, and listen."""
    quoter: Quoter
    if options.fortunes is not None:
        quoter = FortuneQuoter(options.fortunes)
    else:
        quoter = StaticQuoter(options.quote)
    port = reactor.listenTCP(options.port, QuoteFactory(quoter), interface=options.interface)
    three_ways.announce(port, "nc localhost {port}")


if __name__ == "__main__":
    parser = three_ways.parser(__doc__, port=8007)
    parser.add_argument("--quote", default="Make haste slowly.", help="the one quote to give")
    parser.add_argument("--fortunes", type=Path, help="a file of quotes to choose from")
    three_ways.run(start, parser)
