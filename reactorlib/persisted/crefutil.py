"""Values that are not known yet, where what is loaded refers to itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["NotKnown", "Parts"]


class NotKnown:
    """
    Stands for a value until that is known, and then has it put in its own place.

    Attributes:
        resolved: whether it is known.
        resolvedObject: the value, then.
    """

    resolvedObject: Any = None

    def __init__(self) -> None:
        self._dependants: list[tuple[Any, Any]] = []
        self.resolved = False

    def addDependant(self, mutableObject: Any, key: Any) -> None:
        """Have `mutableObject[key]` set to the value when it is known."""
        if self.resolved:
            mutableObject[key] = self.resolvedObject
        else:
            self._dependants.append((mutableObject, key))

    def resolveDependants(self, newObject: Any) -> None:
        """It is known now."""
        assert not self.resolved, "it was known already"
        self.resolved = True
        self.resolvedObject = newObject
        dependants, self._dependants = self._dependants, []
        for mutable, key in dependants:
            mutable[key] = newObject

    def __hash__(self) -> int:
        raise AssertionError("what is not known yet can be no key and no member of a set")


class Parts(NotKnown):
    """
    Something made of several values, which is known once all of them are.

    Args:
        parts: the values, some of them `NotKnown`.
        build: makes the thing of them.
    """

    def __init__(self, parts: list[Any], build: Callable[[list[Any]], Any]) -> None:
        super().__init__()
        self._parts = parts
        self._build = build
        unknown = [index for index, part in enumerate(parts) if isinstance(part, NotKnown)]
        self._missing = len(unknown)
        for index in unknown:
            parts[index].addDependant(self, index)

    def __setitem__(self, index: int, value: Any) -> None:
        self._parts[index] = value
        self._missing -= 1
        if not self._missing:
            self.resolveDependants(self._build(self._parts))


def build(parts: list[Any], how: Callable[[list[Any]], Any]) -> Any:
    """What `how` makes of the parts, now if they are known; otherwise a `NotKnown` for it."""
    if any(isinstance(part, NotKnown) for part in parts):
        return Parts(parts, how)
    return how(parts)
