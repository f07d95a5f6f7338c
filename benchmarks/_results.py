"""
The file of results: its sections, the summary of the targets, and what is plotted.

Everything is made from the text of the sections, so that a section which was measured
another day counts in the summary as well.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from benchmarks._plot import Line, draw
from benchmarks._report import SPREAD, format_table

HEAD = """\
# Results

What `python -m benchmarks` has measured, each part with its date. `README.md` says what the
columns mean, and `NOTES.md` what limits the rows. Times from different parts, or of different
days, are not to be compared: the ratios are, which are taken within one round. A spread above
15 % means that the machine did something else as well.
"""

#: The section that sums up the others.
SUMMARY = "Targets"

_SUMMARY_HEAD = f"""\
## {SUMMARY}

What the project aims at, and what was measured last: ratios of CPU time, above 1 where reactorlib
takes less, but for those that say what they are. Of reactorlib on either loop, if not said. Where
a target is not met, the last column leads to what stands in the way.
"""

#: The file whose chapters say what limits the rows, beside the file of results.
NOTES = "NOTES.md"

#: The folder of the plots, beside the file.
PLOTS = "plots"

_TARGET = re.compile(
    r"Target: (?P<figure>.+) (?P<bound>at least|at most) (?P<number>\S+): (?P<reached>.+?)\.?"
)
_PLOT = re.compile(rf"!\[(?P<label>.+)\]\({PLOTS}/(?P<name>[\w-]+)\.svg\)")


def section(title: str, command: str, printed: str, date: datetime.date) -> str:
    """
    Write a part of the results as Markdown.

    Args:
        title: of the part.
        command: what was run, as one types it.
        printed: what it printed.
        date: when.
    """
    about: dict[str, str] = {}
    lines = iter(printed.splitlines())
    for line in lines:  # the machine, the versions, and last the run
        name, _, value = line.partition(": ")
        about[name] = value
        if name == "run":
            break
    hardware = ", ".join(f"{about[name]}" for name in ("CPU", "kernel"))
    text = [
        f"## {title}",
        "",
        f"`{command}`, {date}: {about['run']}. {about['cores']} cores, {hardware}; "
        f"{about['versions']}; {about['Twisted']}.",
        "",
    ]
    for line in lines:
        if line.startswith("|") or (not line and text[-1]):
            text.append(line)
        elif line.startswith(("target:", "note:")):
            text.append(f"{line[0].upper()}{line[1:]}.")
        elif line.startswith("plot: "):
            name, _, label = line.removeprefix("plot: ").partition(": ")
            text.append(f"![{label}]({PLOTS}/{name}.svg)")
        elif line:
            text += [f"### {line}", ""]
    return "\n".join(text).strip() + "\n"


def kept(results: Path) -> dict[str, str]:
    """Return the parts of a file of results by their titles; not the summary of them."""
    try:
        text = results.read_text()
    except FileNotFoundError:
        return {}
    parts = text.split("\n## ")[1:]
    sections = {part.partition("\n")[0]: f"## {part.strip()}\n" for part in parts}
    sections.pop(SUMMARY, None)
    return sections


def write(
    results: Path,
    sections: Mapping[str, str],
    known: Sequence[str],
    chapters: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """
    Write the file of results, and draw its plots beside it.

    Args:
        results: the file.
        sections: the parts by their titles.
        known: the titles in their order; others follow.
        chapters: the headings in `NOTES.md` under which stands what limits a row, by its title.
    """
    order = sorted(sections, key=lambda title: (*known, title).index(title))
    texts = [sections[title] for title in order]
    _write_whole(results, "\n".join([HEAD, summary(texts, chapters), *texts]))
    for name, drawing in plots(texts):
        folder = results.parent / PLOTS
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.svg").write_text(drawing)


def _write_whole(path: Path, text: str) -> None:
    """Write a file, so that one that is half written never takes the place of what was kept."""
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():  # so does a device or a pipe: nothing replaces it
        path.write_text(text)
        return
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    os.replace(new, path)


@dataclass(slots=True)
class Block:
    """What stands under a heading: at the most one table, and what is said of it."""

    part: str
    title: str
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def blocks(texts: Sequence[str]) -> Iterator[Block]:
    """Take sections apart."""
    for text in texts:
        title = text.partition("\n")[0].removeprefix("## ")
        block = Block(title, "")
        for line in text.splitlines()[1:]:
            if line.startswith("### "):
                yield block
                block = Block(title, line.removeprefix("### "))
            elif not line.startswith("|"):
                block.lines.append(line)
            elif not block.header:
                block.header = _cells(line)
            elif not line.startswith("| -"):
                block.rows.append(_cells(line))
        yield block


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def summary(texts: Sequence[str], chapters: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the section that sums up what was aimed at, what was reached, and why not."""
    rows = [row for block in blocks(texts) for row in (*_said(block), *_in_columns(block))]
    met = sum(row[-1] == "yes" for row in rows)
    for row in rows:
        row.append("" if row[-1] == "yes" else _link(chapters.get(row[1], "")))
    table = format_table(["part", "row", "target", "measured", "met", "why not"], rows, text=6)
    return f"{_SUMMARY_HEAD}\n{table}\n\n{met} of {len(rows)} are met.\n"


def _link(chapter: str) -> str:
    """Return a link to a chapter, if it is one."""
    text = chapter.removeprefix("What limits ")
    return f"[{text}]({NOTES}#{anchor(chapter)})" if chapter else ""


def anchor(heading: str) -> str:
    """Return what a heading of Markdown is linked by."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _said(block: Block) -> Iterator[list[str]]:
    """Yield a row for each line that says a target."""
    for line in block.lines:
        if found := _TARGET.fullmatch(line):
            bound, number = found["bound"], found["number"]
            reached = [each.rpartition(" ") for each in found["reached"].split(", ")]
            met = {who: _meets(bound, number, value) for who, _, value in reached}
            measured = ", ".join(
                f"{who} {value}".removeprefix("reactorlib").removeprefix(" on").strip()
                for who, _, value in reached
            )
            verdict = "yes" if all(met.values()) else "one loop" if any(met.values()) else "no"
            aim = f"{found['figure']} {bound} {number}"
            yield [block.part, block.title, aim, measured, verdict]


def _in_columns(block: Block) -> Iterator[list[str]]:
    """Yield a row for each cell of a column of targets, which stands after what it is for."""
    for place, name in enumerate(block.header):
        if name != "target":
            continue
        for row in block.rows:
            if row[place]:
                aim = f"{block.header[place - 1]} at least {row[place]}"
                met = _meets("at least", row[place], row[place - 1])
                yield [block.part, row[0], aim, row[place - 1], "yes" if met else "no"]


def _meets(bound: str, target: str, value: str) -> bool:
    if not value:
        return False
    reached, aimed = float(value.replace(",", "")), float(target)
    return reached >= aimed if bound == "at least" else reached <= aimed


def plots(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the drawing of each plot that the sections show."""
    for block in blocks(texts):
        for line in block.lines:
            if found := _PLOT.fullmatch(line):
                x_label = block.header[0]
                yield found["name"], draw(block.title, x_label, found["label"], _lines(block))


def _lines(block: Block) -> list[Line]:
    """Return a line for each column but those of ratios and spreads. A row begins with its x."""
    sizes = [row for row in block.rows if row[0].replace(",", "").isdecimal()]
    lines = []
    for place, name in enumerate(block.header[1:], 1):
        if name.startswith("x ") or ": " in name or name == SPREAD:
            continue
        points = [(_number(row[0]), _number(row[place])) for row in sizes if row[place]]
        hue = 1 if name.startswith("reactorlib") else 2 if name.startswith("Twisted") else 0
        dashed = "uvloop" in name or name == "Twisted, asyncio reactor"
        if points:
            lines.append(Line(name, points, hue, dashed))
    return lines


def _number(cell: str) -> float:
    return float(cell.replace(",", ""))
