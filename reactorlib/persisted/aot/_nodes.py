"""The nodes of a tree that are no literals, and how a tree is written."""

from __future__ import annotations

import keyword
import math
from typing import Any

__all__ = [
    "Class",
    "Copyreg",
    "Deref",
    "Function",
    "Global",
    "Instance",
    "InstanceMethod",
    "Module",
    "Named",
    "NoStateObj",
    "NonFormattableDict",
    "Ref",
    "dictToKW",
    "getSource",
    "prettify",
]


class _NoState:
    def __repr__(self) -> str:
        return "NoStateObj"


#: What an `Instance` has that has no state, as against one whose state is None.
NoStateObj = _NoState()


class NonFormattableDict(Exception):
    """A dict whose keys cannot all be names of arguments."""


class Named:
    """
    Something found by its name.

    Args:
        name: it, with its module.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def getSource(self) -> str:
        """How it is written."""
        return f"{type(self).__name__}({self.name!r})"


class Class(Named):
    """A class."""


class Function(Named):
    """A function."""


class Module(Named):
    """A module."""


class Global(Named):
    """Something else that a module has, such as an interface."""


class InstanceMethod:
    """
    A bound method.

    Args:
        name: the method's.
        klass: that of the object, by its name.
        inst: the object.
    """

    def __init__(self, name: str, klass: str, inst: Any) -> None:
        self.name = name
        self.klass = klass
        self.instance = inst

    def getSource(self) -> str:
        """How it is written."""
        return f"InstanceMethod({self.name!r},{self.klass!r},{_indented(self.instance)})"


class Instance:
    """
    An object of a class.

    Args:
        className: the class, with its module.
        __stateObj__: what its `__getstate__` returned.
        state: the same, where it is a dict of attributes.
    """

    def __init__(self, className: str, __stateObj__: Any = NoStateObj, **state: Any) -> None:
        self.klass = className
        self.state: Any = state if __stateObj__ is NoStateObj and state else __stateObj__

    def getSource(self) -> str:
        """How it is written."""
        if self.state is NoStateObj:
            return f"Instance({self.klass!r})"
        if type(self.state) is dict and self.state:
            try:
                return f"Instance({self.klass!r},{dictToKW(self.state)})"
            except NonFormattableDict:
                pass
        return f"Instance({self.klass!r},{_indented(self.state).lstrip()})"


class Ref:
    """
    A value that is elsewhere, too.

    Args:
        args: number and value, which `setRef` and `setObj` set otherwise. Without a
            number it is written as the value alone.
    """

    def __init__(self, *args: Any) -> None:
        if len(args) not in (0, 2):
            raise TypeError("Ref() takes a number and a value, or nothing")
        self.refnum: int | None = args[0] if args else None
        self.obj: Any = args[1] if args else None

    def setRef(self, num: int) -> None:
        """Give it the number that a `Deref` elsewhere has; it keeps the one it has."""
        if self.refnum is not None and self.refnum != num:
            raise RuntimeError(f"it has the number {self.refnum}, and cannot be {num}")
        self.refnum = num

    def setObj(self, obj: Any) -> None:
        """Give it its value."""
        self.obj = obj

    def getSource(self) -> str:
        """How it is written."""
        if self.refnum is None:
            return prettify(self.obj)
        return f"Ref({self.refnum},{_indented(self.obj)})"


class Deref:
    """
    The value that the `Ref` of this number has.

    Args:
        num: the number.
    """

    def __init__(self, num: int) -> None:
        self.refnum = num

    def getSource(self) -> str:
        """How it is written."""
        return f"Deref({self.refnum})"


class Copyreg:
    """
    What a callable returns, as `__reduce__` and functions given to `copyreg` ask for.

    Args:
        loadfunc: the callable, with its module.
        state: the tuple of arguments.
        then: the state that is set afterwards.
        items: what is appended afterwards.
        pairs: what is set by key afterwards, as a list of pairs.
    """

    def __init__(
        self,
        loadfunc: str,
        state: Any,
        then: Any = NoStateObj,
        items: Any = None,
        pairs: Any = None,
    ) -> None:
        self.loadfunc = loadfunc
        self.state = state
        self.then = then
        self.items = items
        self.pairs = pairs

    def getSource(self) -> str:
        """How it is written."""
        parts = [repr(self.loadfunc), _indented(self.state).lstrip()]
        if self.then is not NoStateObj:
            parts.append(f"\n  then={_indented(self.then).lstrip()}")
        if self.items is not None:
            parts.append(f"\n  items={_indented(self.items).lstrip()}")
        if self.pairs is not None:
            parts.append(f"\n  pairs={_indented(self.pairs).lstrip()}")
        return f"Copyreg({','.join(parts)})"


def dictToKW(d: dict[Any, Any]) -> str:
    """
    A dict as keyword arguments, in the order of their names, each on a line.

    Raises:
        NonFormattableDict: a key is no name of an argument.
    """
    if not all(
        type(key) is str
        and key.isidentifier()
        and not keyword.iskeyword(key)
        and key.isascii()
        and key not in ("className", "__stateObj__")
        for key in d
    ):
        raise NonFormattableDict(d)
    return "".join(f"\n  {key}={_indented(d[key]).lstrip()}," for key in sorted(d))


def getSource(ao: Any) -> str:
    """A tree as a file holds it."""
    return "app=" + prettify(ao)


def prettify(obj: Any) -> str:
    """
    A tree in Python's notation.

    Raises:
        TypeError: there is something in it that is no part of a tree.
    """
    if hasattr(type(obj), "getSource"):
        return str(obj.getSource())
    kind = type(obj)
    if kind in (int, str, bytes, bool) or obj is None:
        return repr(obj)
    if obj is Ellipsis:
        return "Ellipsis"
    if kind is float:
        return repr(obj) if math.isfinite(obj) else f"float({str(obj)!r})"
    if kind is complex:
        finite = math.isfinite(obj.real) and math.isfinite(obj.imag)
        return repr(obj) if finite else f"complex({str(obj)!r})"
    if kind is slice:
        return f"slice({prettify(obj.start)},{prettify(obj.stop)},{prettify(obj.step)})"
    if kind is dict:
        return _bracketed("{}", [f"{prettify(k)}:{prettify(v)}" for k, v in obj.items()])
    if kind is list:
        return _bracketed("[]", [prettify(item) for item in obj])
    if kind is tuple:
        return _bracketed("()", [prettify(item) for item in obj])
    raise TypeError(f"a tree holds no {kind.__name__}: {obj!r}")


def _bracketed(brackets: str, items: list[str]) -> str:
    if not items:
        return brackets
    inside = "".join("\n  " + item.replace("\n", "\n  ") + "," for item in items)
    return f"{brackets[0]}{inside}\n  {brackets[1]}"


def _indented(obj: Any) -> str:
    """On lines of its own, two further in; what is of one line stays where it is."""
    text = prettify(obj)
    return "\n  " + text.replace("\n", "\n  ")
