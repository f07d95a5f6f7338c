"""What can go wrong in a negotiation."""

from __future__ import annotations

__all__ = [
    "AlreadyDisabled",
    "AlreadyEnabled",
    "AlreadyNegotiating",
    "NegotiationError",
    "OptionRefused",
    "TelnetError",
]


class TelnetError(Exception):
    """Something about telnet failed."""


class NegotiationError(TelnetError):
    """
    An option was not negotiated as asked.

    Its first argument is the option, a byte.
    """

    def __str__(self) -> str:
        where = f"{self.__class__.__module__}.{self.__class__.__qualname__}"
        return f"{where}:" + ", ".join(map(repr, self.args))


class OptionRefused(NegotiationError):
    """The peer does not want the option."""


class AlreadyEnabled(NegotiationError):
    """The option is on, as was asked for."""


class AlreadyDisabled(NegotiationError):
    """The option is off, as was asked for."""


class AlreadyNegotiating(NegotiationError):
    """An earlier negotiation of the option has not ended yet."""
