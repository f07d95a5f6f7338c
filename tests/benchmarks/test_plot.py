"""Plots on logarithmic axes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest

from benchmarks._plot import BOTTOM, HUES, LEFT, RIGHT, TOP, Line, Scale, draw, round_numbers, short

SVG = "{http://www.w3.org/2000/svg}"

LINES = [
    Line("by hand", [(1, 2.0), (10, 2.5), (1000, 3.0)], 0),
    Line("ours & theirs", [(1, 4.0), (10, 4.0), (1000, 4.0)], 1, dashed=True),
]


def parsed(lines: list[Line] = LINES) -> ElementTree.Element:
    return ElementTree.fromstring(draw("A < B", "timers", "CPU us/timer", lines))


def texts(root: ElementTree.Element) -> list[str | None]:
    return [text.text for text in root.iter(f"{SVG}text")]


def test_a_plot_says_what_it_shows() -> None:
    said = texts(parsed())
    for text in ("A < B", "timers", "CPU us/timer", "by hand", "ours & theirs"):
        assert said.count(text) == 1


def test_what_was_measured_is_marked_on_the_axis() -> None:
    said = texts(parsed())
    assert {"1", "10", "1 k"} <= set(said)


def test_each_point_has_a_mark_within_the_axes() -> None:
    marks = [
        (float(mark.attrib["cx"]), float(mark.attrib["cy"]))
        for mark in parsed().iter(f"{SVG}circle")
    ]
    assert len(marks) == 6
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in marks)
    # What costs more is higher, and equal costs are level.
    assert marks[0][1] > marks[1][1] > marks[2][1]
    assert marks[3][1] == marks[4][1] == marks[5][1]
    # A power of ten is as far as another.
    assert 2 * (marks[1][0] - marks[0][0]) == pytest.approx(marks[2][0] - marks[1][0], abs=0.2)


def test_what_differs_by_little_looks_so() -> None:
    root = parsed([Line("one", [(1, 4.9), (10, 5.0)], 0)])
    first, last = (float(mark.attrib["cy"]) for mark in root.iter(f"{SVG}circle"))
    assert 0 < first - last < 5
    assert {"0.5", "1", "2", "5"} <= set(texts(root))


def test_numbers_on_the_axis_do_not_run_into_each_other() -> None:
    numbers = [1, 10_000, 19_800, 20_000]
    root = parsed([Line("one", [(number, 1.0) for number in numbers], 0)])
    assert "20 k" in texts(root)
    assert "19.8 k" not in texts(root)


def test_names_of_lines_that_end_together_stand_below_each_other() -> None:
    lines = [Line(f"line {number}", [(1, 1.0), (10, 1.0)], number % 3) for number in range(6)]
    places = [
        float(text.attrib["y"])
        for text in parsed(lines).iter(f"{SVG}text")
        if (text.text or "").startswith("line ")
    ]
    assert len(places) == 6
    assert all(later - earlier >= 16 for earlier, later in pairwise(places))


def test_dark_pages_have_colours_of_their_own() -> None:
    style = parsed().findtext(f"{SVG}style")
    assert style is not None
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    for on_light, on_dark in HUES:
        assert on_light in light
        assert on_dark in dark


def test_one_point_can_be_drawn() -> None:
    assert len(list(parsed([Line("one", [(5, 5.0)], 0)]).iter(f"{SVG}circle"))) == 1


@pytest.mark.parametrize("points", [[], [(1, 0.0)], [(0, 1.0)], [(1, -1.0)]])
def test_what_is_on_no_logarithmic_axis_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        draw("title", "x", "y", [Line("line", points, 0)])


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (1, 10, [1, 2, 5, 10]),
        (3, 4, [2, 5]),
        (2, 2, [2, 5]),
        (0.3, 7, [0.2, 0.5, 1, 2, 5, 10]),
        (30, 60_000, [10, 100, 1000, 10_000, 100_000]),
    ],
)
def test_an_axis_has_round_numbers(least: float, most: float, expected: list[float]) -> None:
    assert list(round_numbers(least, most)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (64, "64"),
        (1000, "1 k"),
        (1024, "1 Ki"),
        (16384, "16 Ki"),
        (19_800, "19.8 k"),
        (1_000_000, "1 M"),
        (1 << 20, "1 Mi"),
    ],
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert short(number) == text


def test_a_scale_puts_its_ends_where_it_is_told() -> None:
    scale = Scale(1, 100, 50, 250)
    assert [scale(1), scale(10), scale(100)] == pytest.approx([50, 150, 250])
