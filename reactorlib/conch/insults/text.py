"""
Text with colours and other renditions, put together as a tree.

    from reactorlib.conch.insults.text import assembleFormattedText
    from reactorlib.conch.insults.text import attributes as A

    assembleFormattedText(A.normal[A.bold[A.fg.red["Alert: "], "all ", -A.bold["is"]], " lost"])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from reactorlib.conch.insults._rendition import COLORS, Rendition

__all__ = ["assembleFormattedText", "attributes"]

_PLAIN = Rendition()


class _Formatted:
    """A rendition, and what it is of."""

    def __init__(self, change: dict[str, Any] | None, parts: tuple[Any, ...] = ()) -> None:
        self._change = change
        self._parts = parts

    def __getitem__(self, parts: Any) -> _Formatted:
        """The same rendition, of these."""
        return _Formatted(self._change, parts if isinstance(parts, tuple) else (parts,))

    def __neg__(self) -> _Formatted:
        """The same of what it is not to have."""
        change = self._change or {}
        default = {name: getattr(_PLAIN, name) for name in change}
        return _Formatted(default, self._parts)

    def _runs(self, around: Rendition) -> Iterator[tuple[Rendition, str]]:
        own = _PLAIN if self._change is None else replace(around, **self._change)
        yield from _runs(self._parts, own)


def _runs(parts: Iterable[Any], own: Rendition) -> Iterator[tuple[Rendition, str]]:
    for part in parts:
        if isinstance(part, _Formatted):
            yield from part._runs(own)
        elif isinstance(part, str):
            yield own, part
        elif isinstance(part, list | tuple):
            yield from _runs(part, own)
        else:
            raise TypeError(f"formatted text consists of str and attributes, and not of {part!r}")


class _Colors:
    """The colours, by name."""

    def __init__(self, which: str) -> None:
        self._which = which

    def __getattr__(self, name: str) -> _Formatted:
        try:
            return _Formatted({self._which: COLORS[name]})
        except KeyError:
            raise AttributeError(f"there is no colour {name!r}") from None


class _Attributes:
    """
    The renditions: `normal`, `bold`, `underline`, `blink`, `reverseVideo`, and colours.

    Attributes:
        fg, bg: the colours of text and ground: black, red, green, yellow, blue,
            magenta, cyan, white.
    """

    normal = _Formatted(None)
    bold = _Formatted({"bold": True})
    underline = _Formatted({"underline": True})
    blink = _Formatted({"blink": True})
    reverseVideo = _Formatted({"reverseVideo": True})
    fg = _Colors("foreground")
    bg = _Colors("background")


attributes = _Attributes()


def assembleFormattedText(formatted: Any) -> str:
    """
    Text with the control sequences of a VT100.

    Args:
        formatted: text in `attributes`, such as `attributes.bold["text"]`.
    """
    parts: list[str] = []
    before = _PLAIN
    for rendition, text in _runs([formatted], _PLAIN):
        if text:
            parts += (before.change_to(rendition), text)
            before = rendition
    return "".join(parts)
