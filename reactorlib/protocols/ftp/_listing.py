"""Directory listings: making a line, and reading one."""

from __future__ import annotations

import re
import time
from typing import Any

from reactorlib.protocols.basic import LineReceiver

__all__ = ["FTPFileListProtocol", "list_line"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# As `ls`: the time of day of what is younger than half a year.
_RECENT = 365.2425 * 24 * 3600 / 2


def list_line(
    name: bytes,
    now: float,
    size: int,
    directory: bool,
    permissions: Any,
    hardlinks: int,
    modified: float,
    owner: str,
    group: str,
) -> bytes:
    """A line as of `ls -l`, in UTC, without its end."""
    when = time.gmtime(modified)
    if now - _RECENT < modified <= now + 60:
        date = f"{when.tm_hour:02d}:{when.tm_min:02d}"
    else:
        date = f" {when.tm_year:04d}"
    line = (
        f"{'d' if directory else '-'}{permissions.shorthand()} {hardlinks:3d} {owner:<9} "
        f"{group:<9} {size:15d} {_MONTHS[when.tm_mon - 1]} {when.tm_mday:02d} {date} "
    )
    return line.encode() + name


class FTPFileListProtocol(LineReceiver):
    """
    Reads what LIST sends, as far as it looks like `ls -l`.

    Attributes:
        files: a dictionary for each file, with the keys `filetype` (as "-" or
            "d"), `perms`, `nlinks`, `owner`, `group`, `size`, `date`, `filename`
            and `linktarget`.
        fileLinePattern: what a line looks like: a group for each key.
    """

    # A line is looked at in a time that grows with its length alone, whatever a server sends. So
    # there is one way only to part digits from a name, four at most to part spaces from a month,
    # and no target of a link is looked for before the last CR that a name has to have in it.
    fileLinePattern = re.compile(
        r"(?P<filetype>.)(?P<perms>.{9})\s+(?:(?P<nlinks>\d++)\s*+)?(?P<owner>\S+)\s+"
        r"(?P<group>\S+)\s+(?P<size>\d+)\s+(?!\s{5})(?P<date>...\s+\d+\s+[\d:]+)\s"
        r"(?P<filename>(?>.*\r(?!\Z)|.).*?)(?: -> (?P<linktarget>[^\r]*+))?\r?"
    )
    delimiter = b"\n"
    _encoding = "latin-1"

    def __init__(self) -> None:
        self.files: list[dict[str, Any]] = []

    def lineReceived(self, line: bytes) -> None:
        """Read a line."""
        text = line.decode(self._encoding)
        entry = self.parseDirectoryLine(text)
        if entry is None:
            self.unknownLine(text)
        else:
            self.addFile(entry)

    def parseDirectoryLine(self, line: str) -> dict[str, Any] | None:
        """What is in a line, as in `files`; None if it looks otherwise."""
        found = self.fileLinePattern.fullmatch(line)
        if found is None:
            return None
        entry: dict[str, Any] = found.groupdict()
        for key in ("filename", "linktarget"):
            if entry[key]:
                entry[key] = entry[key].replace("\\ ", " ")
        try:
            entry["size"] = int(entry["size"])
            entry["nlinks"] = int(entry["nlinks"] or 0)
        except ValueError:
            return None  # thousands of digits
        return entry

    def addFile(self, info: dict[str, Any]) -> None:
        """A line was read. Adds it to `files`, unless overridden."""
        self.files.append(info)

    def unknownLine(self, line: str) -> None:
        """A line looks otherwise. For subclasses."""
