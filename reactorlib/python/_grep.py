"""Ways from one object to another: to find out what keeps something alive."""

from __future__ import annotations

import sys
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["findInstances", "isLike", "isOfType", "isSame", "modgrep", "objgrep"]

# What is not looked into: nothing else can be reached through it.
_ATOMS = (str, bytes, int, float, complex, bool, type(None), type(Ellipsis))


def isSame(a: object, b: object) -> bool:
    """Whether both are one object."""
    return a is b


def isLike(a: object, b: object) -> bool:
    """Whether both are equal."""
    return bool(a == b)


def isOfType(start: object, goal: object) -> bool:
    """Whether the first is an instance of just that class."""
    return type(start) is goal


def modgrep(goal: object) -> list[str]:
    """The ways from all modules to what is equal to `goal`."""
    return objgrep(sys.modules, goal, isLike, "sys.modules")


def findInstances(start: object, t: type[Any]) -> list[str]:
    """The ways from an object to instances of a class."""
    return objgrep(start, t, isOfType)


def _steps(start: Any) -> Iterator[tuple[str, Any]]:
    """What an object refers to, and how that is written."""
    if isinstance(start, dict):
        for key, value in list(start.items()):
            yield f"{{{value!r}}}", key
            yield f"[{key!r}]", value
    elif isinstance(start, (list, tuple, deque)):
        for index, value in enumerate(list(start)):
            yield f"[{index}]", value
    elif isinstance(start, types.MethodType):
        yield ".__self__", start.__self__
        yield ".__func__", start.__func__
        yield ".__self__.__class__", start.__self__.__class__
    elif isinstance(start, weakref.ReferenceType):
        yield "()", start()
    elif hasattr(start, "__dict__"):
        for name, value in list(vars(start).items()):
            yield f".{name}", value
        if not isinstance(start, type):
            yield ".__class__", start.__class__


def objgrep(
    start: Any,
    goal: Any,
    eq: Callable[[Any, Any], bool] = isLike,
    path: str = "",
    paths: list[str] | None = None,
    seen: dict[int, Any] | None = None,
    showUnknowns: bool = False,
    maxDepth: int | None = None,
) -> list[str]:
    """
    The ways from one object to another.

    It goes through dictionaries, lists, tuples, deques, weak references, bound
    methods and attributes.

    Args:
        start: where to begin.
        goal: what is looked for.
        eq: told an object and the goal, says whether the one is the other.
        path: what all ways begin with.
        paths: a list to add them to; by default a new one.
        seen: objects that are not looked into, by their `id`; those that were
            are added.
        showUnknowns: whether to print what cannot be looked into.
        maxDepth: how many steps a way may have.

    Returns:
        the ways, as expressions that begin at `start`: `[0].name`. A key of a
        dictionary is written as its value in braces.
    """
    paths = [] if paths is None else paths
    seen = {} if seen is None else seen
    waiting = [(start, path, 0)]
    while waiting:
        value, way, depth = waiting.pop()
        if eq(value, goal):
            paths.append(way)
        if id(value) in seen or isinstance(value, _ATOMS) or depth == maxDepth:
            continue
        # Kept, so that nothing else gets its place in memory.
        seen[id(value)] = value
        steps = list(_steps(value))
        if showUnknowns and not steps and not hasattr(value, "__dict__"):
            print("unknown type", type(value), value)
        waiting.extend((found, way + step, depth + 1) for step, found in reversed(steps))
    return paths
