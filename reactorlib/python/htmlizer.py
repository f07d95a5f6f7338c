"""
Python source as HTML, with a class for every kind of word.

    with open("module.py", "rb") as source, open("module.html", "wb") as page:
        filter(source, page, writer=SmallerHTMLWriter)
"""

from __future__ import annotations

import html
import sys
import token as tokens
import tokenize
from collections.abc import Callable, Sequence
from typing import IO, Any, ClassVar

__all__ = ["HTMLWriter", "SmallerHTMLWriter", "TokenPrinter", "filter", "main"]

_Place = tuple[int, int]

# From Python 3.12 a format string is several tokens.
_FSTRING_START = getattr(tokens, "FSTRING_START", None)
_FSTRING_END = getattr(tokens, "FSTRING_END", None)

_OPENING, _CLOSING = "([{", ")]}"


class TokenPrinter:
    """
    Gives a writer each token of a source with its kind, and the space in between.

    Args:
        writer: called with bytes, and with the kind, a word, of those that are a
            token.
    """

    encoding = "utf-8"

    def __init__(self, writer: Callable[..., Any]) -> None:
        self.writer = writer
        self.currentLine = 1
        self.currentCol = 0
        # Whether what comes next is the name of a function or class.
        self.lastIdentifier = False
        # How many brackets are open in a list of parameters: 0 if it is none.
        self.parameters = 0
        self._header = False
        self._expects_parameter = False

    def printtoken(
        self, type: int, token: str, sCoordinates: _Place, eCoordinates: _Place, line: str
    ) -> None:
        """
        Take a token.

        Args:
            type: its kind, of the module `token`.
            token: its text.
            sCoordinates, eCoordinates: the line and the column where it begins and
                ends.
            line: the line that it is in.
        """
        if type == tokenize.ENCODING:
            self.encoding = token
            return
        row, column = sCoordinates
        if row > self.currentLine:
            # Only a backslash goes to another line without a token, and the end of the file.
            between = "\n" if type in (tokens.ENDMARKER, tokens.DEDENT) else " \\\n"
            self._write(between * (row - self.currentLine))
            self.currentCol = 0
        self._write(" " * (column - self.currentCol))
        self._write(token, self._kind(type, token))
        self.currentLine, self.currentCol = eCoordinates
        if type in (tokens.NEWLINE, tokenize.NL) and token:
            self.currentLine += 1
            self.currentCol = 0

    def _write(self, text: str, kind: str | None = None) -> None:
        if kind is not None:
            self.writer(text.encode(self.encoding), kind)
        elif text:
            self.writer(text.encode(self.encoding))

    def _kind(self, type: int, token: str) -> str:
        if type == tokens.NAME:
            return self._kind_of_name(token)
        if type == tokens.OP:
            if token in _OPENING and (self.parameters or self._header):
                self.parameters += 1
                self._expects_parameter = self._header
            elif token in _CLOSING and self.parameters:
                self.parameters -= 1
                self._expects_parameter = False
            elif self.parameters == 1:
                # A comma, a star and two are what names of parameters come after.
                self._expects_parameter = token in ("*", "**", ",")
            self._header = False
        return tokens.tok_name[type].lower()

    def _kind_of_name(self, token: str) -> str:
        if self.lastIdentifier:
            self.lastIdentifier, self._header = False, True
            return "identifier"
        if self._expects_parameter:
            self._expects_parameter = False
            return "parameter"
        self.lastIdentifier = token in ("def", "class") and not self.parameters
        return "variable"


class HTMLWriter:
    """
    Writes tokens as `<span class="py-src-KIND">`.

    Args:
        writer: called with bytes.
    """

    #: Kinds that have no span.
    noSpan: ClassVar[Sequence[str]] = []

    def __init__(self, writer: Callable[[bytes], Any]) -> None:
        self.writer = writer

    def write(self, token: bytes, type: str | None = None) -> None:
        """
        Write a token, or what is in between.

        Args:
            token: its text.
            type: its kind; None for what is in between.
        """
        # What is replaced is ASCII, so that any encoding will do that Python has for sources.
        text = html.escape(token.decode("latin-1")).encode("latin-1")
        if type is None or type in self.noSpan:
            self.writer(text)
        else:
            self.writer(b'<span class="py-src-%s">%s</span>' % (type.encode("ascii"), text))


class SmallerHTMLWriter(HTMLWriter):
    """The same without spans for brackets, spaces and line ends: a smaller page."""

    noSpan: ClassVar[Sequence[str]] = ["endmarker", "indent", "dedent", "op", "newline", "nl"]


def filter(inp: IO[bytes], out: IO[bytes], writer: type[HTMLWriter] = HTMLWriter) -> None:
    """
    Write Python source as HTML: a `<pre>`.

    Args:
        inp: the source, open to read bytes. It says which encoding it has, and the
            page has the same.
        out: the page, open to write bytes.
        writer: the class that writes tokens.

    Raises:
        SyntaxError, tokenize.TokenError: it is no Python.
    """
    lines = [""]

    def readline() -> bytes:
        read = inp.readline()
        lines.append(read.decode(printer.encoding, "replace"))
        return read

    printer = TokenPrinter(writer(out.write).write)
    out.write(b"<pre>")
    start: _Place | None = None
    depth = 0
    for kind, text, begin, end, line in tokenize.tokenize(readline):
        if kind == _FSTRING_START:
            start = begin if depth == 0 else start
            depth += 1
        elif kind == _FSTRING_END:
            depth -= 1
            if depth == 0 and start is not None:
                whole = _between(lines, start, end)
                printer.printtoken(tokens.STRING, whole, start, end, line)
        elif depth == 0:
            printer.printtoken(kind, text, begin, end, line)
    out.write(b"</pre>\n")


def _between(lines: Sequence[str], start: _Place, end: _Place) -> str:
    """The source from one place to another."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first][left:right]
    return "".join([lines[first][left:], *lines[first + 1 : last], lines[last][:right]])


def main() -> None:
    """Write the file that the command line names as HTML to standard output."""
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FILE.py")
    with open(sys.argv[1], "rb") as source:
        filter(source, sys.stdout.buffer)


if __name__ == "__main__":
    main()
