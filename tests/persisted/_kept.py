"""Classes of which the tests keep objects, as a program's own module would have them."""

from __future__ import annotations

import copyreg
import enum
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any, Self


class Plain:
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    def method(self) -> tuple[str, Plain]:
        return ("called", self)

    @classmethod
    def made(cls) -> Self:
        return cls()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.__dict__ == other.__dict__

    __hash__ = object.__hash__

    class Within:
        pass


class Slotted:
    __slots__ = ("a", "b")

    a: int
    b: list[int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slotted) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None  # type: ignore[assignment]


class OwnState:
    """Its state is no dict."""

    state: Any = None

    def __getstate__(self) -> Any:
        return self.state

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnState) and self.state == other.state

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Frozen:
    number: int
    more: list[int] = field(default_factory=list, compare=True)


class Colour(enum.Enum):
    RED = 1
    BLUE = "blue"


Point = namedtuple("Point", ["x", "y"])


class Listing(list[int]):
    """A list with an attribute."""

    name = ""


class Registered:
    """Made again by what copyreg is told."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.unfit = lambda: None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Registered) and self.size == other.size

    __hash__ = None  # type: ignore[assignment]


def reduce_registered(registered: Registered) -> tuple[type[Registered], tuple[int]]:
    return Registered, (registered.size,)


copyreg.pickle(Registered, reduce_registered)


def function() -> str:
    return "result"
