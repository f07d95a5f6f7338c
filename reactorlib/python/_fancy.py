"""Equality and text of objects, by a list of their attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

__all__ = ["FancyEqMixin", "FancyStrMixin"]


class FancyStrMixin:
    """
    Text of an object: `<Name attribute=value ...>`.

    A subclass sets
        showAttributes: what is in it: names of attributes; pairs of a name and a
            function that makes text of the value; or a name, another one to
            show, and a `%`-format for the value.
        fancybasename: what it begins with; by default the class's name.
    """

    showAttributes: Sequence[str | tuple[str, str, str] | tuple[str, Callable[[Any], str]]] = ()

    def __str__(self) -> str:
        words = [getattr(self, "fancybasename", self.__class__.__name__)]
        for shown in self.showAttributes:
            if isinstance(shown, str):
                words.append(f"{shown}={getattr(self, shown)!r}")
            elif len(shown) == 2:
                name, render = shown
                words.append(f"{name}={render(getattr(self, name))}")
            else:
                name, label, template = shown
                words.append(f"{label}={template % (getattr(self, name),)}")
        return f"<{' '.join(words)}>"

    __repr__ = __str__


class FancyEqMixin:
    """
    Equality of objects of one class, or of one and a subclass, by their attributes.

    A subclass sets
        compareAttributes: their names; without any, each object is equal to
            itself alone.
    """

    compareAttributes: ClassVar[Sequence[str]] = ()

    def __eq__(self, other: object) -> bool:
        if not self.compareAttributes:
            return self is other
        if not (isinstance(self, other.__class__) or isinstance(other, self.__class__)):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self.compareAttributes)

    __hash__ = None  # type: ignore[assignment]
