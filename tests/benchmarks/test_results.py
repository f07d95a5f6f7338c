"""The file of results: what is kept, what is summed up, what is plotted."""

from __future__ import annotations

import datetime
import os
import stat
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import chapters
from benchmarks._report import target_line
from benchmarks._results import NOTES, SUMMARY, anchor, kept, plots, section, summary, write

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

| timers | asyncio | reactorlib on uvloop | Twisted, asyncio reactor | asyncio: x raw | spread |
| ------ | ------: | -------------------: | -----------------------: | -------------: | -----: |
| 1      |    8.00 |                 4.00 |                     9.00 |           1.00 |     9% |
| 1,000  |    9.00 |                 4.00 |                          |           1.00 |    12% |
| growth |    1.12 |                 1.00 |                     1.00 |                |        |

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
    known = {"Small messages": "What limits echo, datagrams and TLS", "fire": "The rows"}
    text = summary([made("Echo", ECHO), made("Defer", DEFER)], known)
    small = ["Echo", "Small messages"]
    why = "[echo, datagrams and TLS](NOTES.md#what-limits-echo-datagrams-and-tls)"
    assert rows(text) == [
        [*small, "x raw at least 0.97", "asyncio 0.94, uvloop 0.99", "one loop", why],
        [*small, "bytes over raw at most 350", "asyncio 290", "yes", ""],
        [*small, "x Twisted at least 2", "1,234.50", "yes", ""],
        ["Defer", "fire", "x Twisted at least 2.5", "2.60", "yes", ""],
        ["Defer", "cancel", "x Twisted at least 4.5", "2.35", "no", ""],
        ["Defer", "cancel", "x asyncio at least 1", "1.40", "yes", ""],
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
    assert [row[4] for row in rows(text)] == [verdict]


@pytest.mark.parametrize(
    ("reached", "verdict"), [(0.906, "yes"), (0.9049, "no"), (0.91, "yes"), (1234.5, "yes")]
)
def test_the_figure_that_is_printed_is_the_one_that_counts(reached: float, verdict: str) -> None:
    """Nobody has to wonder why 0.91 is less than 0.91."""
    line = target_line("x raw", "at least", 0.91, {"reactorlib": reached}, ".2f")
    assert [row[4] for row in rows(summary([made("Part", f"{ABOUT}\nRow\n\n{line}\n")]))] == [
        verdict
    ]


def chapter_headings() -> set[str]:
    notes = (Path(benchmarks.__file__).parent / NOTES).read_text()
    return {line.lstrip("# ") for line in notes.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("chapter", sorted(set(chapters().values())))
def test_a_chapter_that_is_referred_to_exists(chapter: str) -> None:
    assert chapter in chapter_headings()
    assert [anchor(each) for each in chapter_headings()].count(anchor(chapter)) == 1


def test_every_row_of_the_results_that_is_not_met_says_why() -> None:
    results = Path(benchmarks.__file__).with_name("RESULTS.md")
    unexplained = [
        row[1]
        for row in rows(summary([*kept(results).values()], chapters()))
        if row[4] != "yes" and not row[5]
    ]
    assert unexplained == []


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("What limits callFromThread", "what-limits-callfromthread"),
        ("What limits echo, datagrams and TLS", "what-limits-echo-datagrams-and-tls"),
        ("A half-open `thing`: 3.11", "a-half-open-thing-311"),
    ],
)
def test_a_heading_is_linked_as_markdown_is_shown(heading: str, expected: str) -> None:
    assert anchor(heading) == expected


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
    assert {path.name for path in tmp_path.iterdir()} == {"RESULTS.md", "plots"}


def test_summing_up_the_results_loses_nothing(tmp_path: Path) -> None:
    """What `--summarize` does to the results that there are."""
    stored = Path(benchmarks.__file__).with_name("RESULTS.md")
    sections = kept(stored)
    again = tmp_path / "RESULTS.md"
    write(again, sections, [*sections], chapters())
    assert kept(again) == sections
    assert again.read_text() == stored.read_text()
    drawn = {path.name: path.read_text() for path in (tmp_path / "plots").iterdir()}
    assert drawn == {path.name: path.read_text() for path in (stored.parent / "plots").iterdir()}


def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "RESULTS.md")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        for path in (pipe, link):
            write(path, {"Defer": made("Defer", DEFER)}, [])
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert link.is_symlink()
        assert os.read(reader, 1 << 16).decode() == link.read_text()
    finally:
        os.close(reader)


def test_what_is_to_be_known_beside_a_table_is_no_heading() -> None:
    text = made("Echo", f"{ABOUT}\nSmall messages\n\nnote: uvloop: left out, it stalled\n\n| a |\n")
    assert text.endswith("\n### Small messages\n\nNote: uvloop: left out, it stalled.\n\n| a |\n")


def test_a_plot_has_the_lines_of_its_table_without_the_ratios() -> None:
    [(name, drawing)] = plots([made("Echo", ECHO), made("Scaling", SCALING)])
    assert name == "timers"
    root = ElementTree.fromstring(drawing)
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Timers", "timers", "CPU us/timer"} <= set(texts)
    assert {"asyncio", "reactorlib on uvloop", "Twisted, asyncio reactor"} <= set(texts)
    assert not {"asyncio: x raw", "spread"} & set(texts)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 5  # a cell is empty
