"""The lines of inetd.conf, each a service."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from reactorlib.runner.inetdconf._errors import InvalidInetdConfError, UnknownService
from reactorlib.runner.inetdconf._files import ProtocolsConf, ServicesConf, SimpleConfFile

__all__ = ["DEFAULT_RATE", "WELL_KNOWN", "InetdConf", "InetdService"]

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
