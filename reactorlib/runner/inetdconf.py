"""
The files that an inetd is configured by: inetd.conf, and the names in /etc/services.

A line of inetd.conf describes a service, in at least six fields:

    service  socket-type  protocol  wait|nowait[.max]  user[:group]  program  arguments...

as in inetd(8). Fields are separated by blanks; one with blanks in it is put between
quotes. A comment begins with "#", at the beginning of a field.
"""

from __future__ import annotations

import inspect
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "InetdConf",
    "InetdService",
    "InvalidConfError",
    "InvalidInetdConfError",
    "InvalidProtocolsConfError",
    "InvalidServicesConfError",
    "ProtocolsConf",
    "ServicesConf",
    "SimpleConfFile",
    "UnknownService",
]

# Longer than any that is meant: an argument list is what makes a line long.
_MAX_LINE = 16384

#: How many times a minute a service is started before it counts as broken, as in inetd(8).
DEFAULT_RATE = 256

#: Ports of the services that an inetd has itself: RFC 862, 863, 864, 867 and 868.
WELL_KNOWN = {"echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "time": 37}

#: The kind of socket that goes with each protocol.
_SOCKETS = {
    "tcp": ("stream",),
    "tcp4": ("stream",),
    "tcp6": ("stream",),
    "udp": ("dgram",),
    "udp4": ("dgram",),
    "udp6": ("dgram",),
    "unix": ("stream", "dgram"),
}


class InvalidConfError(Exception):
    """
    A configuration file breaks a rule.

    Attributes:
        reason: which.
        filename: the file; None where it has no name.
        line: the number of the line, from 1; None if it is no line's fault.
    """

    def __init__(self, reason: str = "", filename: str | None = None, line: int | None = None):
        super().__init__(reason)
        self.reason = reason
        self.filename = filename
        self.line = line

    def __str__(self) -> str:
        where = [str(part) for part in (self.filename, self.line) if part is not None]
        return ": ".join(filter(None, (":".join(where), self.reason)))


class InvalidInetdConfError(InvalidConfError):
    """An inetd.conf breaks a rule."""


class InvalidServicesConfError(InvalidConfError):
    """A services file breaks a rule."""


class InvalidProtocolsConfError(InvalidConfError):
    """A protocols file breaks a rule."""


class UnknownService(InvalidInetdConfError):
    """A service has a name of which no port is known."""


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


class InetdService:
    """
    One line of an inetd.conf.

    Attributes:
        name: as it stands there, without an address.
        port: the port, or the path of a UNIX socket.
        socketType: "stream" or "dgram".
        protocol: "tcp", "udp", either with 4 or 6 behind it, or "unix".
        wait: whether nothing more is accepted until the program has ended.
        user, group: names as whose the program runs; no group for the user's own.
        program: its path; "internal" for a service that the inetd has itself.
        programArgs: its arguments, beginning with its name.
        address: the address to listen at; "" for all.
        rate: how often a minute it may be started.
        where: the file and line, for messages.
    """

    address: str = ""
    rate: int = DEFAULT_RATE
    where: str | None = None

    def __init__(
        self,
        name: str,
        port: int | str,
        socketType: str,
        protocol: str,
        wait: bool,
        user: str,
        group: str | None,
        program: str,
        programArgs: Iterable[str],
    ) -> None:
        self.name = name
        self.port = port
        self.socketType = socketType
        self.protocol = protocol
        self.wait = wait
        self.user = user
        self.group = group
        self.program = program
        self.programArgs = list(programArgs)

    @property
    def internal(self) -> bool:
        """Whether the inetd has it itself."""
        return self.program == "internal"

    def __str__(self) -> str:
        at = f"{self.address}:" if self.address else ""
        text = f"{at}{self.name} ({self.protocol})"
        return text if self.where is None else f"{self.where}: {text}"


class InetdConf(SimpleConfFile):
    """
    Reads an inetd.conf.

    Args:
        knownServices: the port by name and protocol; None for those of /etc/services.

    Attributes:
        services: the `InetdService` of each line, in order.
        protocols: the number by name of protocols that there are, for messages; None for
            those of /etc/protocols.
    """

    defaultFilename = "/etc/inetd.conf"
    error = InvalidInetdConfError
    protocols: Mapping[str, int] | None = None

    def __init__(self, knownServices: Mapping[tuple[str, str], int] | None = None) -> None:
        self.services: list[InetdService] = []
        self.knownServices = knownServices
        self._where: str | None = None

    def _begin_line(self, filename: Any, number: int) -> None:
        self._where = f"line {number}" if filename is None else f"{filename}:{number}"

    def _fields(self, line: str) -> list[str]:
        reader = shlex.shlex(line, posix=True, punctuation_chars=False)
        reader.whitespace_split = True
        reader.commenters = ""
        reader.escape = ""
        try:
            return list(reader)
        except ValueError:
            raise self.error("a quotation has no end") from None

    def _without_comment(self, line: str) -> str:
        # One within quotes is none.
        quoted = re.compile(r""""[^"]*"|'[^']*'|(?:^|(?<=\s))""" + re.escape(self.commentChar))
        for found in quoted.finditer(line):
            if found[0] == self.commentChar:
                return line[: found.start()].strip()
        return line.strip()

    def parseFields(
        self,
        serviceName: str,
        socketType: str,
        protocol: str,
        wait: str,
        user: str,
        program: str,
        *programArgs: str,
    ) -> None:
        """
        Take the fields of a line.

        Raises:
            UnknownService: the service's name is none that has a port.
            InvalidInetdConfError: they break another rule.
        """
        self._check_protocol(protocol, socketType)
        address, name, port = self._port(serviceName, protocol)
        waits, rate = self._wait(wait)
        internal = program == "internal"
        if socketType == "dgram" and not (waits or internal):
            raise self.error(
                "a program on datagrams reads them itself: its service has to be 'wait'"
            )
        found = re.fullmatch(r"([^.:/]+)(?:[.:]([^/]+))?(?:/.*)?", user)
        if found is None:
            raise self.error(f"{user!r} is not of the form user or user:group")
        service = InetdService(
            name,
            port,
            socketType,
            protocol,
            waits,
            found[1],
            found[2],
            program,
            programArgs or ([] if internal else [os.path.basename(program)]),
        )
        service.address, service.rate, service.where = address, rate, self._where
        self.services.append(service)

    def _check_protocol(self, protocol: str, socket_type: str) -> None:
        if protocol.startswith("rpc/"):
            raise self.error("services of Sun RPC are not served: remove the line")
        kinds = _SOCKETS.get(protocol)
        if kinds is None:
            what = "cannot be served" if protocol in self._protocols() else "is not known"
            raise self.error(f"the protocol {protocol!r} {what}: {', '.join(_SOCKETS)} can")
        if socket_type not in kinds:
            raise self.error(
                f"sockets of {protocol} are {' or '.join(kinds)}, and not {socket_type!r}"
            )

    def _protocols(self) -> Mapping[str, int]:
        if self.protocols is None:
            conf = ProtocolsConf()
            try:
                conf.parseFile()
            except OSError:
                pass  # there may be none, as in a container
            self.protocols = conf.protocols
        return self.protocols

    def _wait(self, text: str) -> tuple[bool, int]:
        found = re.fullmatch(r"(wait|nowait)(?:[./:]([0-9]{1,9}))?", text)
        if found is None:
            raise self.error(f"{text!r} is neither wait nor nowait, nor nowait.MAX")
        rate = DEFAULT_RATE if found[2] is None else int(found[2])
        if rate < 1:
            raise self.error(f"{text!r}: a service that may never be started is none")
        return found[1] == "wait", rate

    def _port(self, text: str, protocol: str) -> tuple[str, str, int | str]:
        """The address, the name, and the port."""
        if protocol == "unix":
            if not text.startswith("/"):
                raise self.error(f"{text!r} is no path of a UNIX socket: it begins with a slash")
            return "", text, text
        address, _, name = text.rpartition(":")
        address = address.removeprefix("[").removesuffix("]")
        if address == "*":
            address = ""
        if name.isascii() and name.isdigit():
            if int(name) > 65535:
                raise self.error(f"there is no port {name}: the last is 65535")
            return address, name, int(name)
        kind = protocol.rstrip("46")
        port = self._services().get((name, kind))
        if port is None:
            port = WELL_KNOWN.get(name)
        if port is None:
            raise UnknownService(f"no port of {name!r} over {kind} is known: write its number")
        return address, name, port

    def _services(self) -> Mapping[tuple[str, str], int]:
        if self.knownServices is None:
            conf = ServicesConf()
            try:
                conf.parseFile()
            except FileNotFoundError:
                pass  # numbers will do
            self.knownServices = conf.services
        return self.knownServices
