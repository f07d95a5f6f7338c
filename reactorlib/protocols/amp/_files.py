"""Boxes in files and strings."""

from __future__ import annotations

from typing import IO

from reactorlib.protocols.amp._box import AmpBox
from reactorlib.protocols.amp._errors import MalformedAmpBox
from reactorlib.protocols.amp._wire import BoxReader

__all__ = ["parse", "parseString"]

#: Bytes read from a file at a time.
_CHUNK = 65536


def parse(fileObj: IO[bytes]) -> list[AmpBox]:
    """
    All boxes of a file.

    Raises:
        TooLong: it has a key or a box over the limit.
        MalformedAmpBox: its last box does not end.
    """
    reader = BoxReader(AmpBox)
    boxes: list[AmpBox] = []
    while data := fileObj.read(_CHUNK):
        reader.feed(data)
        boxes += iter(reader.next_box, None)
    if reader.unfinished:
        raise MalformedAmpBox("the last box does not end")
    return boxes


def parseString(data: bytes) -> list[AmpBox]:
    """All boxes of a string; see `parse`."""
    from io import BytesIO

    return parse(BytesIO(data))
