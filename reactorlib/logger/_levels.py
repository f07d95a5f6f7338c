"""How much an event matters: `LogLevel`."""

from __future__ import annotations

from reactorlib.python.constants import NamedConstant, Names

__all__ = ["InvalidLogLevelError", "LogLevel", "NamedConstant", "is_level"]


class LogLevel(Names):
    """
    How much an event matters, from least to most.

    `debug` is for developers; `info` tells of normal operation; `warn` of what
    may need attention; `error` of what went wrong; `critical` of what was not
    expected to go wrong.
    """

    debug = NamedConstant()
    info = NamedConstant()
    warn = NamedConstant()
    error = NamedConstant()
    critical = NamedConstant()

    @classmethod
    def levelWithName(cls, name: str) -> NamedConstant:
        """
        The level of that name.

        Raises:
            InvalidLogLevelError: there is none.
        """
        try:
            return cls.lookupByName(name)
        except ValueError:
            raise InvalidLogLevelError(name) from None

    @classmethod
    def _priorityForLevel(cls, level: NamedConstant) -> int:
        return level._index


def is_level(value: object) -> bool:
    """Whether it is one of `LogLevel`."""
    return isinstance(value, NamedConstant) and value._container is LogLevel


class InvalidLogLevelError(Exception):
    """Our caller gave something that is no log level: `level`."""

    def __init__(self, level: object) -> None:
        super().__init__(str(level))
        self.level = level
