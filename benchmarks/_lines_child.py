"""
Receivers of lines and strings, fed by hand: the process that `lines` measures.

It prints one line: how many messages there were, and of the repeat that took the
least CPU time the user, system and wall-clock seconds. No loop runs, whatever the
command line says: this is what a receiver adds to a read.

Usage: python -m benchmarks._lines_child PEER LOOP FORMAT-READ COUNT REPEATS
"""

from __future__ import annotations

import importlib
import struct
from typing import Any

from benchmarks._batch import Sampler, parse_arguments

#: The content of a message: 80 bytes, as a line of text.
CONTENT = b"x" * 80

WIRE: dict[str, bytes] = {
    "lines": CONTENT + b"\r\n",
    "only-lines": CONTENT + b"\r\n",
    "int32": struct.pack("!I", len(CONTENT)) + CONTENT,
    "netstrings": b"%d:%b," % (len(CONTENT), CONTENT),
}

RECEIVERS = {
    "lines": "LineReceiver",
    "only-lines": "LineOnlyReceiver",
    "int32": "Int32StringReceiver",
    "netstrings": "NetstringReceiver",
}


#: Bytes in a read; 0 for one message each.
READS = {"one": 0, "1k": 1024, "64k": 65536}

OPERATIONS = [f"{format}-{read}" for format in WIRE for read in READS]


class Transport:
    """All that a receiver asks of it here."""

    disconnecting = False

    def loseConnection(self) -> None:
        raise SystemExit("a receiver hung up")


class Raw:
    """What the parsers written by hand share. They check lengths, as the others do."""

    def __init__(self) -> None:
        self.rest = b""

    def makeConnection(self, transport: Transport) -> None: ...


class RawLines(Raw):
    def dataReceived(self, data: bytes) -> None:
        lines = (self.rest + data).split(b"\r\n")
        self.rest = lines.pop()
        for line in lines:
            if len(line) > 16384:
                raise ValueError(line)
            self.lineReceived(line)

    def lineReceived(self, line: bytes) -> None:
        raise NotImplementedError


class RawInt32(Raw):
    _unpack = struct.Struct("!I").unpack_from

    def dataReceived(self, data: bytes) -> None:
        data = self.rest + data
        unpack = self._unpack
        start, size = 0, len(data)
        while start + 4 <= size:
            (length,) = unpack(data, start)
            if length > 99999:
                raise ValueError(length)
            end = start + 4 + length
            if end > size:
                break
            self.stringReceived(data[start + 4 : end])
            start = end
        self.rest = data[start:]

    def stringReceived(self, string: bytes) -> None:
        raise NotImplementedError


class RawNetstrings(Raw):
    def dataReceived(self, data: bytes) -> None:
        data = self.rest + data
        start, size = 0, len(data)
        while (colon := data.find(b":", start)) >= 0:
            length = int(data[start:colon])
            if length > 99999:
                raise ValueError(length)
            end = colon + 1 + length
            if end >= size:
                break
            if data[end] != 44:
                raise ValueError("no comma")
            self.stringReceived(data[colon + 1 : end])
            start = end + 1
        self.rest = data[start:]

    def stringReceived(self, string: bytes) -> None:
        raise NotImplementedError


RAW: dict[str, type[Any]] = {
    "lines": RawLines,
    "only-lines": RawLines,
    "int32": RawInt32,
    "netstrings": RawNetstrings,
}


def main() -> None:
    """Measure, print and end."""
    options = parse_arguments(__doc__, OPERATIONS)
    format, _, read = options.operation.rpartition("-")
    base: Any
    if options.package == "raw":
        base = RAW[format]
    else:
        basic = importlib.import_module(f"{options.package}.protocols.basic")
        base = getattr(basic, RECEIVERS[format])

    class Receiver(base):  # type: ignore[misc]  # any of them
        count = 0

        def lineReceived(self, line: bytes) -> None:
            self.count += 1

        stringReceived = lineReceived

    wire = WIRE[format] * options.count
    size = READS[read] or len(WIRE[format])
    chunks = [wire[i : i + size] for i in range(0, len(wire), size)]
    sampler = Sampler(options.count, options.repeats)
    again = True
    while again:
        receiver = Receiver()
        receiver.makeConnection(Transport())
        receive = receiver.dataReceived
        sampler.start()
        for piece in chunks:
            receive(piece)
        again = sampler.stop()
        if receiver.count != options.count:
            raise SystemExit(f"{receiver.count} messages came, not {options.count}")
    sampler.report()


if __name__ == "__main__":
    main()
