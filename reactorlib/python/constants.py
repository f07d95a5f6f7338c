"""
Closed sets of named things: `Names`, `Values` and `Flags`.

A set is a class that is used as it is, and its members are its attributes:

    class Method(Names):
        GET = NamedConstant()
        PUT = NamedConstant()
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

__all__ = ["FlagConstant", "Flags", "NamedConstant", "Names", "ValueConstant", "Values"]


class _Constant:
    """
    A member of a set: known by its name, ordered as it was defined.

    Attributes:
        name: its name in the set.
    """

    name: str
    _container: type[_Container[Any]]
    _index: int

    def _adopt(self, container: type[_Container[Any]], name: str, index: int) -> None:
        if "_container" in vars(self):
            raise ValueError(
                f"{self!r} cannot be an attribute of {container.__name__}: it belongs elsewhere"
            )
        self._container, self.name, self._index = container, name, index

    def _place(self, other: object) -> int | None:
        if isinstance(other, _Constant) and other._container is self._container:
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


class NamedConstant(_Constant):
    """A member of a set of `Names`."""


class ValueConstant(_Constant):
    """
    A member of a set of `Values`.

    Attributes:
        value: anything.
    """

    def __init__(self, value: Any) -> None:
        self.value = value


class FlagConstant(_Constant):
    """
    A member of a set of `Flags`, or several of them: what `|`, `&`, `^` and `~` make.

    It is true if any flag is in it, iterates over those, and two are equal if
    they are of the same set and have the same flags.

    Attributes:
        value: the number of which each flag is a bit.
        names: the names of all flags in it.
    """

    names: set[str]

    def __init__(self, value: int | None = None) -> None:
        # None until the set is complete; it is a number whenever somebody can see it.
        self.value = cast(int, value)

    def _adopt(self, container: type[_Container[Any]], name: str, index: int) -> None:
        super()._adopt(container, name, index)
        self.names = {name}

    def _with(self, value: int) -> FlagConstant:
        """The flags of this set that are in `value`."""
        members = [flag for flag in self._container.iterconstants() if flag.value & value]
        if len(members) == 1 and members[0].value == value:
            return cast(FlagConstant, members[0])
        made = FlagConstant(value)
        made._container = self._container
        made.names = {flag.name for flag in members}
        made.name = "{" + ",".join(sorted(made.names)) + "}"
        # After those that are defined.
        made._index = len(self._container._constants) + value
        return made

    def __or__(self, other: FlagConstant) -> FlagConstant:
        return self._with(self.value | self._value_of(other))

    def __and__(self, other: FlagConstant) -> FlagConstant:
        return self._with(self.value & self._value_of(other))

    def __xor__(self, other: FlagConstant) -> FlagConstant:
        return self._with(self.value ^ self._value_of(other))

    def __invert__(self) -> FlagConstant:
        every = 0
        for flag in self._container.iterconstants():
            every |= flag.value
        return self._with(every & ~self.value)

    def _value_of(self, other: object) -> int:
        if isinstance(other, FlagConstant) and other._container is self._container:
            return other.value
        raise TypeError(f"{other!r} is no flag of {self._container.__name__}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FlagConstant):
            return NotImplemented
        return self._container is other._container and self.value == other.value

    def __hash__(self) -> int:
        return hash((self._container, self.value))

    def __iter__(self) -> Iterator[FlagConstant]:
        return (flag for flag in self._container.iterconstants() if flag.value & self.value)

    def __contains__(self, flag: FlagConstant) -> bool:
        return bool(self & flag)

    def __bool__(self) -> bool:
        return bool(self.value)


_C = TypeVar("_C", bound=_Constant)


class _Container(Generic[_C]):
    """A set. It has no instances."""

    _kind: ClassVar[type[_Constant]] = _Constant
    _constants: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls._constants = {}
        for name, value in vars(cls).items():
            if isinstance(value, cls._kind):
                value._adopt(cls, name, len(cls._constants))
                cls._constants[name] = value

    def __new__(cls) -> Self:
        raise TypeError(f"{cls.__name__} may not be instantiated.")

    @classmethod
    def iterconstants(cls) -> Iterator[_C]:
        """The constants in the order of their definition."""
        return iter(cls._constants.values())

    @classmethod
    def lookupByName(cls, name: str) -> _C:
        """
        The constant of that name.

        Raises:
            ValueError: there is none.
        """
        try:
            return cast(_C, cls._constants[name])
        except KeyError:
            raise ValueError(name) from None


class Names(_Container[NamedConstant]):
    """A set of constants that have a name, and nothing else."""

    _kind = NamedConstant


class _Valued(_Container[_C]):
    @classmethod
    def lookupByValue(cls, value: Any) -> _C:
        """
        The constant of that value.

        Raises:
            ValueError: there is none.
        """
        for constant in cls._constants.values():
            if constant.value == value:
                return cast(_C, constant)
        raise ValueError(value)


class Values(_Valued[ValueConstant]):
    """A set of constants each of which has a value."""

    _kind = ValueConstant


class Flags(_Valued[FlagConstant]):
    """
    A set of constants that can be combined, each a bit of a number.

    A flag that is defined without a value has twice that of the one before; the
    first has 1.
    """

    _kind = FlagConstant

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        following = 1
        for flag in cls.iterconstants():
            if flag.value is None:
                flag.value = following
            following = flag.value << 1
