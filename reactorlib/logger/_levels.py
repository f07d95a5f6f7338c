"""Levels of events, and the closed sets of names that they are one of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

__all__ = ["InvalidLogLevelError", "LogLevel", "NamedConstant", "Names", "is_level"]


class NamedConstant:
    """A member of a set of `Names`: known by its name, ordered as it was defined."""

    name: str
    _container: type[Names]
    _index: int

    def __set_name__(self, owner: type[Names], name: str) -> None:
        self.name = name
        self._container = owner

    def _place(self, other: object) -> int | None:
        if isinstance(other, NamedConstant) and other._container is self._container:
            return other._index
        return None

    def __lt__(self, other: Self) -> bool:
        place = self._place(other)
        return NotImplemented if place is None else self._index < place

    def __le__(self, other: Self) -> bool:
        place = self._place(other)
        return NotImplemented if place is None else self._index <= place

    def __gt__(self, other: Self) -> bool:
        place = self._place(other)
        return NotImplemented if place is None else self._index > place

    def __ge__(self, other: Self) -> bool:
        place = self._place(other)
        return NotImplemented if place is None else self._index >= place

    def __repr__(self) -> str:
        return f"<{self._container.__name__}={self.name}>"


class Names:
    """A set of named constants. It is used as it is: it has no instances."""

    _constants: ClassVar[dict[str, NamedConstant]] = {}

    def __init_subclass__(cls) -> None:
        cls._constants = {
            name: value for name, value in vars(cls).items() if isinstance(value, NamedConstant)
        }
        for index, constant in enumerate(cls._constants.values()):
            constant._index = index

    def __new__(cls) -> Self:
        raise TypeError(f"{cls.__name__} may not be instantiated.")

    @classmethod
    def iterconstants(cls) -> Iterator[NamedConstant]:
        """The constants in the order of their definition."""
        return iter(cls._constants.values())

    @classmethod
    def lookupByName(cls, name: str) -> NamedConstant:
        """
        The constant of that name.

        Raises:
            ValueError: there is none.
        """
        try:
            return cls._constants[name]
        except KeyError:
            raise ValueError(name) from None


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
