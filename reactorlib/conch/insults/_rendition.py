"""How a character looks: ECMA-48 section 8.3.117."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from reactorlib.conch.insults.insults import BLINK, BOLD, G0, NORMAL, REVERSE_VIDEO, UNDERLINE

__all__ = ["BACKGROUND", "COLORS", "FOREGROUND", "Rendition"]

#: The colours, in the order of their numbers.
COLORS = {
    name: number
    for number, name in enumerate(
        ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
    )
}
# What is added to a colour's number, for the text and for the ground.
FOREGROUND = 30
BACKGROUND = 40

_FLAGS = {BOLD: "bold", UNDERLINE: "underline", BLINK: "blink", REVERSE_VIDEO: "reverseVideo"}


@dataclass(frozen=True, slots=True)
class Rendition:
    """
    How a character looks.

    Attributes:
        charset: the place of its character set, such as `G0`.
        bold, underline, blink, reverseVideo: whether it is.
        foreground, background: the numbers of its colours.
    """

    charset: bytes = G0
    bold: bool = False
    underline: bool = False
    blink: bool = False
    reverseVideo: bool = False
    foreground: int = COLORS["white"]
    background: int = COLORS["black"]

    def codes(self) -> list[int]:
        """The numbers that make a plain terminal write like this."""
        codes = [code for code, name in _FLAGS.items() if getattr(self, name)]
        if self.foreground != COLORS["white"]:
            codes.append(FOREGROUND + self.foreground)
        if self.background != COLORS["black"]:
            codes.append(BACKGROUND + self.background)
        return codes

    def change_to(self, other: Rendition) -> str:
        """The control sequence that makes a terminal write like that, and not like this."""
        if other == self:
            return ""
        codes = other.codes()
        # What is off has to be turned off, all with it.
        plain = Rendition()
        if any(
            getattr(other, field.name) == getattr(plain, field.name) != getattr(self, field.name)
            for field in fields(self)
        ):
            codes.insert(0, NORMAL)
        return f"\x1b[{';'.join(map(str, codes))}m"

    def select(self, codes: Iterable[Any]) -> Rendition:
        """What becomes of it by a terminal's selecting; numbers that are not known do nothing."""
        state = self
        for code in map(int, codes):
            if code == NORMAL:
                state = Rendition(state.charset)
            elif code in _FLAGS:
                state = _with(state, _FLAGS[code], True)
            elif code == 22:
                state = replace(state, bold=False)
            elif code - 20 in _FLAGS:
                state = _with(state, _FLAGS[code - 20], False)
            elif 0 <= code - FOREGROUND < len(COLORS):
                state = replace(state, foreground=code - FOREGROUND)
            elif 0 <= code - BACKGROUND < len(COLORS):
                state = replace(state, background=code - BACKGROUND)
            elif code == 39:
                state = replace(state, foreground=COLORS["white"])
            elif code == 49:
                state = replace(state, background=COLORS["black"])
        return state


def _with(rendition: Rendition, name: str, value: Any) -> Rendition:
    changes: dict[str, Any] = {name: value}
    return replace(rendition, **changes)
