"""The file of results: what is kept, what is summed up, what is plotted."""

from __future__ import annotations

import datetime
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks._results import SUMMARY, kept, plots, section, summary, write

DATE = datetime.date(2026, 11, 28)

ABOUT = """\
CPU: an abacus
cores: 2
kernel: Linux 6
versions: Python 3.11, reactorlib 0.1
Twisted: Python 3.11, twisted 26.10.0
run: rounds: 5
"""

ECHO = f"""{ABOUT}
Small messages

| peer                  | CPU us/message | x raw |
| --------------------- | -------------: | ----: |
| asyncio               |           8.00 |       |
| reactorlib on asyncio |           8.50 |  0.94 |
| reactorlib on uvloop  |           7.50 |  0.99 |

target: x raw at least 0.97: reactorlib on asyncio 0.94, reactorlib on uvloop 0.99

target: bytes over raw at most 350: reactorlib on asyncio 290

target: x Twisted at least 2: reactorlib 1,234.50
"""

SCALING = f"""{ABOUT}
Timers

| timers          | asyncio | reactorlib on uvloop | Twisted, asyncio reactor | asyncio: x raw |
| --------------- | ------: | -------------------: | -----------------------: | -------------: |
| 1               |    8.00 |                 4.00 |                     9.00 |           1.00 |
| 1,000           |    9.00 |                 4.00 |                          |           1.00 |
| largest / least |    1.12 |                 1.00 |                     1.00 |                |

plot: timers: CPU us/timer
"""

DEFER = f"""{ABOUT}
| operation | reactorlib ns | x Twisted | target | x asyncio | target |
| --------- | ------------: | --------: | -----: | --------: | -----: |
| fire      |           400 |      2.60 |    2.5 |           |        |
| cancel    |           800 |      2.35 |    4.5 |      1.40 |      1 |
| untold    |           800 |      2.35 |        |           |        |
"""


def made(title: str, printed: str) -> str:
    return section(title, f"python -m benchmarks.{title.lower()}", printed, DATE)


def test_a_section_says_where_and_when_it_was_measured() -> None:
    text = made("Echo", ECHO)
    assert text.startswith(
        "## Echo\n\n`python -m benchmarks.echo`, 2026-11-28: rounds: 5. 2 cores, an abacus, "
        "Linux 6; Python 3.11, reactorlib 0.1; Python 3.11, twisted 26.10.0.\n\n"
        "### Small messages\n"
    )
    assert "\nTarget: bytes over raw at most 350: reactorlib on asyncio 290.\n" in text


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_summary_has_a_row_for_each_target() -> None:
    text = summary([made("Echo", ECHO), made("Defer", DEFER)])
    small = ["Echo", "Small messages"]
    assert rows(text) == [
        [*small, "x raw at least 0.97", "asyncio 0.94, uvloop 0.99", "one loop"],
        [*small, "bytes over raw at most 350", "asyncio 290", "yes"],
        [*small, "x Twisted at least 2", "1,234.50", "yes"],
        ["Defer", "fire", "x Twisted at least 2.5", "2.60", "yes"],
        ["Defer", "cancel", "x Twisted at least 4.5", "2.35", "no"],
        ["Defer", "cancel", "x asyncio at least 1", "1.40", "yes"],
    ]
    assert text.endswith("\n4 of 6 are met.\n")


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("target: x raw at least 0.97: reactorlib on asyncio 0.97", "yes"),
        ("target: x raw at least 0.97: reactorlib on asyncio 0.96", "no"),
        ("target: ms over asyncio at most 40: reactorlib 40", "yes"),
        ("target: ms over asyncio at most 40: reactorlib 41", "no"),
        ("target: bytes over raw at most 350: reactorlib on uvloop -20", "yes"),
    ],
)
def test_a_target_is_met_when_it_is_reached(line: str, verdict: str) -> None:
    text = summary([made("Part", f"{ABOUT}\nRow\n\n{line}\n")])
    assert [row[-1] for row in rows(text)] == [verdict]


def test_sections_are_kept_and_the_summary_is_made_anew(tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    assert kept(results) == {}
    sections = {"New": made("New", DEFER), "Echo": made("Echo", ECHO)}
    write(results, sections, ["Echo", "Scaling"])
    assert kept(results) == sections
    text = results.read_text()
    # In the order of what is known; what is not comes last.
    assert text.index(f"## {SUMMARY}") < text.index("## Echo") < text.index("## New")

    write(results, kept(results) | {"Scaling": made("Scaling", SCALING)}, ["Echo", "Scaling"])
    text = results.read_text()
    assert text.count(f"## {SUMMARY}") == 1
    assert text.index("## Echo") < text.index("## Scaling") < text.index("## New")
    assert "](plots/timers.svg)" in text
    assert (tmp_path / "plots" / "timers.svg").exists()

    write(results, kept(results), ["Echo", "Scaling"])
    assert results.read_text() == text


def test_a_plot_has_the_lines_of_its_table_without_the_ratios() -> None:
    [(name, drawing)] = plots([made("Echo", ECHO), made("Scaling", SCALING)])
    assert name == "timers"
    root = ElementTree.fromstring(drawing)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Timers", "timers", "CPU us/timer"} <= set(texts)
    assert {"asyncio", "reactorlib on uvloop", "Twisted, asyncio reactor"} <= set(texts)
    assert "asyncio: x raw" not in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 5  # a cell is empty
