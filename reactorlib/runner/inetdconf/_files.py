"""Files of lines with fields, and those in which services and protocols have numbers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from reactorlib.runner.inetdconf._errors import (
    InvalidConfError,
    InvalidProtocolsConfError,
    InvalidServicesConfError,
)

__all__ = ["ProtocolsConf", "ServicesConf", "SimpleConfFile"]

# Longer than any that is meant: an argument list is what makes a line long.
_MAX_LINE = 16384


class SimpleConfFile:
    """
    Reads a file of lines, each of fields with blanks between them.

    Attributes:
        commentChar: what begins a comment, where a field could begin.
        defaultFilename: which file is read if none is given.
        error: what is raised for a line that breaks a rule.
    """

    commentChar = "#"
    defaultFilename: str | None = None
    error: type[InvalidConfError] = InvalidConfError

    def parseFile(self, file: Any = None) -> None:
        """
        Read a file.

        Args:
            file: its lines, text; None for the file of the default name.

        Raises:
            InvalidConfError: a line breaks a rule; it says which line, of which file.
            OSError: the file cannot be read.
        """
        if file is None:
            if self.defaultFilename is None:
                raise ValueError(f"{type(self).__name__} has no default file: give one")
            with open(self.defaultFilename, encoding="utf-8", errors="surrogateescape") as opened:
                self._parse_lines(opened, self.defaultFilename)
        else:
            self._parse_lines(file, getattr(file, "name", None))

    def _parse_lines(self, lines: Iterable[str], filename: Any) -> None:
        for number, line in enumerate(lines, 1):
            try:
                if len(line) > _MAX_LINE:
                    raise self.error(f"the line is longer than {_MAX_LINE} characters")
                text = self._without_comment(line)
                if text:
                    self._begin_line(filename, number)
                    self.parseLine(text)
            except InvalidConfError as error:
                if error.line is None:
                    error.filename = None if filename is None else str(filename)
                    error.line = number
                raise

    def _begin_line(self, filename: Any, number: int) -> None:
        """That line comes next."""

    def _without_comment(self, line: str) -> str:
        comment = re.search(rf"(?:^|(?<=\s)){re.escape(self.commentChar)}", line)
        return (line if comment is None else line[: comment.start()]).strip()

    def parseLine(self, line: str) -> None:
        """
        Take a line, which has something in it: its fields go to `parseFields`.

        Raises:
            InvalidConfError: it has too few fields, too many, or wrong ones.
        """
        fields = self._fields(line)
        try:
            inspect.signature(self.parseFields).bind(*fields)
        except TypeError as why:
            raise self.error(f"it has {len(fields)} fields: {why}") from None
        self.parseFields(*fields)

    def _fields(self, line: str) -> list[str]:
        return line.split()

    def parseFields(self, *fields: Any, **named: Any) -> None:
        """Take the fields of a line. For subclasses."""
        raise NotImplementedError(f"{type(self).__name__} needs a parseFields()")


class ServicesConf(SimpleConfFile):
    """
    Reads /etc/services.

    Attributes:
        services: the port by name and protocol, `("http", "tcp")`; aliases too.
    """

    defaultFilename = "/etc/services"
    error = InvalidServicesConfError

    def __init__(self) -> None:
        self.services: dict[tuple[str, str], int] = {}

    def parseFields(self, name: str, portAndProtocol: str, *aliases: str) -> None:
        """Take a name, `port/protocol`, and other names. What comes first counts."""
        found = re.fullmatch(r"([0-9]{1,5})/([\w.+-]+)", portAndProtocol)
        if found is None or int(found[1]) > 65535:
            raise self.error(f"{portAndProtocol!r} is not of the form port/protocol, as 80/tcp")
        for alias in (name, *aliases):
            self.services.setdefault((alias, found[2].lower()), int(found[1]))


class ProtocolsConf(SimpleConfFile):
    """
    Reads /etc/protocols.

    Attributes:
        protocols: the number by name; aliases too.
    """

    defaultFilename = "/etc/protocols"
    error = InvalidProtocolsConfError

    def __init__(self) -> None:
        self.protocols: dict[str, int] = {}

    def parseFields(self, name: str, number: str, *aliases: str) -> None:
        """Take a name, its number, and other names."""
        # Linux has some, as 262, which are in no packet and so are above 255.
        if not re.fullmatch(r"[0-9]{1,5}", number):
            raise self.error(f"{number!r} is not the number of a protocol")
        for alias in (name, *aliases):
            self.protocols.setdefault(alias, int(number))
