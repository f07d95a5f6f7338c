"""
Plots of lines on two logarithmic axes, as SVG.

The drawings carry their colours in a style sheet with a variant for dark pages, which
browsers apply to images, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 440

#: Where the axes are: the names beside the lines need the space on the right.
LEFT, RIGHT, TOP, BOTTOM = 62, 566, 62, 384

#: How far apart numbers below the x axis are at the least.
ROOM = 40

#: For each hue its colour on light and on dark pages.
HUES = (("#7a828e", "#9aa4b2"), ("#0b7a75", "#34d1c4"), ("#c2500c", "#ff9d52"))

_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 14px; font-weight: 600 }
.page { fill: #ffffff }
.grid { stroke: #24292f; stroke-opacity: 0.13 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round }
.dashed { stroke-dasharray: 6 4 }
.lead { fill: none; stroke-opacity: 0.45 }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """
    What is drawn as one line.

    Args:
        name: what stands beside it.
        points: x and y, all of them above 0, in order of x.
        hue: a place in `HUES`.
        dashed: whether it is, and its marks hollow.
    """

    name: str
    points: Sequence[tuple[float, float]]
    hue: int
    dashed: bool = False


def draw(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """
    Return the drawing.

    Raises:
        ValueError: there is nothing to draw, or a point that is on no logarithmic axis.
    """
    points = [point for line in lines for point in line.points]
    if not points or min(map(min, points)) <= 0:
        raise ValueError("a plot needs points, and all above 0")
    ticks_x = sorted({x for x, _ in points})
    most = max(y for _, y in points)
    # A power of ten at the least: what differs by little is to look so.
    ticks_y = list(round_numbers(min([most / 10, *(y for _, y in points)]), most))
    x = Scale(ticks_x[0], ticks_x[-1], LEFT + 14, RIGHT - 14)
    y = Scale(ticks_y[0], ticks_y[-1], BOTTOM, TOP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}{''.join(_colours())}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        _text(20, 26, title, "start", "title"),
    ]
    for tick in ticks_y:
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick):.1f}H{RIGHT}"/>')
        parts.append(_text(LEFT - 8, y(tick) + 4, f"{tick:,g}", "end"))
    written = math.inf
    for tick in reversed(ticks_x):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {TOP}V{BOTTOM}"/>')
        if x(tick) < written - ROOM:  # the last in any case
            written = x(tick)
            parts.append(_text(x(tick), BOTTOM + 18, short(tick), "middle"))
    parts.append(_text((LEFT + RIGHT) / 2, BOTTOM + 42, x_label, "middle"))
    parts.append(_text(LEFT - 8, TOP - 12, y_label, "start"))
    for line in lines:
        parts += _line(line, x, y)
    parts += _names(lines, x, y)
    return "\n".join([*parts, "</svg>"]) + "\n"


class Scale:
    """Where a number is on an axis from one pixel to another."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._least = math.log(least)
        self._span = math.log(most) - self._least or 1.0
        self._start = start
        self._length = end - start

    def __call__(self, number: float) -> float:
        return self._start + self._length * (math.log(number) - self._least) / self._span


def round_numbers(least: float, most: float) -> Iterator[float]:
    """
    Yield 1, 2 and 5 times powers of ten, from at most `least` to at least `most`.

    Where that would be many, they are the powers of ten alone.
    """
    factors = (1, 2, 5) if most / least < 500 else (1,)
    steps = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
        for factor in factors
    ]
    first = max(step for step in steps if step <= least)
    last = min(step for step in steps if step >= most and step > first)
    return (step for step in steps if first <= step <= last)


def short(number: float) -> str:
    """Write a number as briefly as it can be read: 64, 16 Ki, 10 k, 1 M."""
    for size, unit in ((1 << 20, "Mi"), (1 << 10, "Ki"), (1_000_000, "M"), (1000, "k")):
        if number >= size and (number % size == 0 or unit in "Mk"):
            return f"{number / size:g} {unit}"
    return f"{number:g}"


def _line(line: Line, x: Scale, y: Scale) -> Iterator[str]:
    dashed = " dashed" if line.dashed else ""
    places = [(x(at), y(value)) for at, value in line.points]
    path = "L".join(f"{at:.1f} {value:.1f}" for at, value in places)
    yield f'<path class="line stroke{line.hue}{dashed}" d="M{path}"/>'
    fill = "page" if line.dashed else f"fill{line.hue}"
    for at, value in places:
        mark = f'<circle class="{fill} stroke{line.hue}" cx="{at:.1f}" cy="{value:.1f}" r="3"'
        yield f'{mark} stroke-width="1.5"/>'


def _names(lines: Sequence[Line], x: Scale, y: Scale) -> Iterator[str]:
    """Write each name beside the end of its line, and below the last where they are close."""
    below = TOP - 17.0
    ends = [(y(line.points[-1][1]), x(line.points[-1][0]), line) for line in lines if line.points]
    ends.sort(key=lambda end: end[0])
    for number, (value, at, line) in enumerate(ends):
        room = BOTTOM - 17 * (len(ends) - number - 1)
        below = min(max(value, below + 17), room)
        dashed = " dashed" if line.dashed else ""
        lead = f"M{at + 5:.1f} {value:.1f}L{RIGHT + 4} {below:.1f}"
        yield f'<path class="lead stroke{line.hue}" d="{lead}"/>'
        sample = f"M{RIGHT + 4} {below:.1f}h22"
        yield f'<path class="line stroke{line.hue}{dashed}" d="{sample}"/>'
        yield _text(RIGHT + 31, below + 4, line.name, "start")


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _colours() -> Iterator[str]:
    for number, (light, _) in enumerate(HUES):
        yield f".stroke{number} {{ stroke: {light} }} .fill{number} {{ fill: {light} }}\n"
    yield "@media (prefers-color-scheme: dark) {\n"
    yield "text { fill: #e6edf3 } .page { fill: #0d1117 } .grid { stroke: #e6edf3 }\n"
    for number, (_, dark) in enumerate(HUES):
        yield f".stroke{number} {{ stroke: {dark} }} .fill{number} {{ fill: {dark} }}\n"
    yield "}\n"
