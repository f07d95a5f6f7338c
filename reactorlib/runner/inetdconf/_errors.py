"""What is wrong with a configuration file."""

from __future__ import annotations

__all__ = [
    "InvalidConfError",
    "InvalidInetdConfError",
    "InvalidProtocolsConfError",
    "InvalidServicesConfError",
    "UnknownService",
]


class InvalidConfError(Exception):
    """
    A configuration file breaks a rule.

    Attributes:
        reason: which.
        filename: the file; None where it has no name.
        line: the number of the line, from 1; None if it is no line's fault.
    """

    def __init__(self, reason: str = "", filename: str | None = None, line: int | None = None):
        super().__init__(reason)
        self.reason = reason
        self.filename = filename
        self.line = line

    def __str__(self) -> str:
        where = [str(part) for part in (self.filename, self.line) if part is not None]
        return ": ".join(filter(None, (":".join(where), self.reason)))


class InvalidInetdConfError(InvalidConfError):
    """An inetd.conf breaks a rule."""


class InvalidServicesConfError(InvalidConfError):
    """A services file breaks a rule."""


class InvalidProtocolsConfError(InvalidConfError):
    """A protocols file breaks a rule."""


class UnknownService(InvalidInetdConfError):
    """A service has a name of which no port is known."""
