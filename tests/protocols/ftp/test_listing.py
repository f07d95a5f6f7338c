"""Reading what LIST sends: what is understood, and how long that takes."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.protocols import ftp

PATTERN = ftp.FTPFileListProtocol.fileLinePattern

#: What a line looks like, said plainly; to read one takes time that grows with its square.
PLAIN = re.compile(
    r"(?P<filetype>.)(?P<perms>.{9})\s+(?P<nlinks>\d*)\s*(?P<owner>\S+)\s+(?P<group>\S+)\s+"
    r"(?P<size>\d+)\s+(?P<date>...\s+\d+\s+[\d:]+)\s"
    r"(?P<filename>.+?)(?: -> (?P<linktarget>[^\r]*))?\r?"
)

MODE = "-rw-r--r--"
FILE = f"{MODE} 1 u g 5 Jan 29 10:00 "


def parts(pattern: re.Pattern[str], line: str) -> dict[str, str] | None:
    """What a pattern finds in a line: a missing number of links is an empty one."""
    found = pattern.fullmatch(line)
    if found is None:
        return None
    links, owner = found["nlinks"] or "", found["owner"]
    if pattern is PLAIN and owner.isdigit() and line[found.end("nlinks")] == owner[0]:
        # One number only, cut in two: the number of an owner, and none of links.
        links, owner = "", links + owner
    return {**found.groupdict(), "nlinks": links, "owner": owner}


def some(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=5).map("".join)


SPACES = st.sampled_from([" ", "  ", "   ", "    ", "     ", "      ", "\t", ""])
NAMES = some("a", " ", " -> ", "->", "\r", "\n", "5", "\xa0")
LINES = st.tuples(
    st.sampled_from([MODE, "d---------", "l\rx x x x x", "-rw-r--r-"]),
    SPACES,
    some("1", "12", "u", " ", "1u"),
    SPACES,
    st.sampled_from(["u g 5", "1 g 5", "12 12 5", "u 5", "g x"]),
    SPACES,
    st.sampled_from(["Jan", "Ja", "J", "", "1 u", "Janu"]),
    SPACES,
    st.sampled_from(["29", "", "x"]),
    SPACES,
    st.sampled_from(["10:00", "2003", ":"]),
    SPACES,
    NAMES,
).map("".join)


@given(LINES | NAMES.map(FILE.__add__))
def test_lines_are_understood_as_the_plain_pattern_does(line: str) -> None:
    assert parts(PATTERN, line) == parts(PLAIN, line)


@pytest.mark.parametrize(
    ("line", "links", "owner", "date", "name", "target"),
    [
        (
            f"{MODE}   1 root other 531 Jan 29 03:26 README",
            1,
            "root",
            "Jan 29 03:26",
            "README",
            None,
        ),
        (f"{MODE} root other 531 Jan  9 2003 A", 0, "root", "Jan  9 2003", "A", None),
        (f"{MODE}  12root other 531 Jan 29 2003 A", 12, "root", "Jan 29 2003", "A", None),
        (f"{MODE} 1000 1001 531 Jan 29 2003 A", 0, "1000", "Jan 29 2003", "A", None),
        (f"{MODE} 2 1000 1001 531 Jan 29 2003 A", 2, "1000", "Jan 29 2003", "A", None),
        (f"{MODE} 1 u g 5  1. 29 2003 A", 1, "u", " 1. 29 2003", "A", None),
        (f"{FILE}a b -> c -> d\r", 1, "u", "Jan 29 10:00", "a b", "c -> d"),
        (f"{FILE}a -> b\rc -> d", 1, "u", "Jan 29 10:00", "a -> b\rc", "d"),
        (f"{FILE}a\r\r", 1, "u", "Jan 29 10:00", "a\r", None),
        (f"{FILE}a -> \r", 1, "u", "Jan 29 10:00", "a", ""),
        (f"{FILE} -> a", 1, "u", "Jan 29 10:00", " -> a", None),
    ],
)
def test_what_is_in_a_line(
    line: str, links: int, owner: str, date: str, name: str, target: str | None
) -> None:
    entry = ftp.FTPFileListProtocol().parseDirectoryLine(line)
    assert entry is not None
    assert (entry["nlinks"], entry["owner"], entry["date"]) == (links, owner, date)
    assert (entry["filename"], entry["linktarget"]) == (name, target)


@pytest.mark.parametrize("where", ["size", "nlinks"])
def test_a_number_that_no_file_has(where: str) -> None:
    """Such a line is an unknown one, and those after it are read."""
    numbers = {"size": "5", "nlinks": "1", where: "9" * 5000}
    unknown: list[str] = []
    files = ftp.FTPFileListProtocol()
    files.unknownLine = unknown.append  # type: ignore[assignment,method-assign]
    line = f"{MODE} {numbers['nlinks']} u g {numbers['size']} Jan 29 10:00 "
    files.dataReceived(f"{line}a\n{FILE}b\n".encode())
    assert unknown == [f"{line}a"]
    assert [entry["filename"] for entry in files.files] == ["b"]


#: As long as a line may be, and made so that there is much to try.
LONG = 16_000
WICKED = {
    "spaces": MODE + " " * LONG,
    "digits": f"{MODE} {'1' * LONG}",
    "digits and a word": f"{MODE} {'1' * LONG} x",
    "spaces and digits": f"{MODE} {' ' * (LONG // 2)}{'1' * (LONG // 2)}",
    "digits and spaces": f"{MODE} {'1' * (LONG // 2)}{' ' * (LONG // 2)}x",
    "an owner": f"{MODE} {'x' * LONG}",
    "spaces before the month": f"{MODE} 1 u g 5{' ' * LONG}x",
    "spaces after the month": f"{MODE} 1 u g 5 J{' ' * LONG}x",
    "links": f"{FILE}{' -> ' * (LONG // 4)}\rx",
    "links and ends": FILE + "x -> \r" * (LONG // 6) + "x",
    "ends": FILE + "\r" * LONG,
}


@pytest.mark.parametrize("line", WICKED.values(), ids=list(WICKED))
def test_no_line_takes_long(line: str) -> None:
    """Each of these would take seconds if all ways to read it were tried."""
    began = time.process_time()
    ftp.FTPFileListProtocol().dataReceived(line.encode() + b"\n")
    assert time.process_time() - began < 0.5
