"""Quotes, and where they come from. Nothing here knows of networks, or of a framework."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Protocol

__all__ = ["FortuneQuoter", "IQuoter", "StaticQuoter"]


class IQuoter(Protocol):
    """Returns quotes."""

    def getQuote(self) -> str:
        """A quote."""


class StaticQuoter:
    """
    Returns always the same.

    Args:
        quote: the quote.
    """

    def __init__(self, quote: str) -> None:
        self.quote = quote

    def getQuote(self) -> str:
        """That quote."""
        return self.quote


class FortuneQuoter:
    """
    Returns one of the quotes in files, in which lines of a single "%" stand between them.

    A file is read for each quote, and so may change.

    Args:
        filenames: the files.
    """

    def __init__(self, filenames: Sequence[str]) -> None:
        self.filenames = filenames

    def getQuote(self) -> str:
        """
        Any quote of any file.

        Raises:
            OSError: the file cannot be read.
            ValueError: there is no quote in it.
        """
        filename = random.choice(self.filenames)
        with open(filename, encoding="utf-8", errors="replace") as file:
            parts = re.split(r"^%$", file.read(), flags=re.MULTILINE)
        quotes = [quote.strip("\n") for quote in parts]
        quotes = [quote for quote in quotes if quote.strip()]
        if not quotes:
            raise ValueError(f"there is no quote in {filename}")
        return random.choice(quotes)
