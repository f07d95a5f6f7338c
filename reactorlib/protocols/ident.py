"""
The identification protocol, RFC 1413: whose connection this is.

A server asks the machine that a client came from which of its users that is.
The answer is worth as much as that machine is trusted.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from reactorlib.internet.defer import Deferred, fail, maybeDeferred
from reactorlib.internet.protocol import connectionDone
from reactorlib.protocols.basic import LineOnlyReceiver
from reactorlib.python._report import report
from reactorlib.python.failure import Failure

try:
    from pwd import getpwuid as _getpwuid
except ImportError:  # there are no such users
    _getpwuid = None  # type: ignore[assignment]

__all__ = [
    "HiddenUser",
    "IdentClient",
    "IdentError",
    "IdentServer",
    "InvalidPort",
    "NoUser",
    "ProcServerMixin",
]

_log = logging.getLogger(__name__)

#: A host and a port.
Address = tuple[str, int]

_QUERY = re.compile(r"\s*(-?[0-9]{1,10})\s*,\s*(-?[0-9]{1,10})\s*")
_MAX_PORT = 65535


class IdentError(Exception):
    """It cannot be said whose connection it is, and not why."""

    identDescription = "UNKNOWN-ERROR"


class NoUser(IdentError):
    """There is no such connection, or nobody whose it is."""

    identDescription = "NO-USER"


class InvalidPort(IdentError):
    """A port is none."""

    identDescription = "INVALID-PORT"


class HiddenUser(IdentError):
    """The user does not want to be known."""

    identDescription = "HIDDEN-USER"


def _text(line: bytes | str) -> str:
    return line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")


class _Lines(LineOnlyReceiver):
    """Text in lines."""

    #: RFC 1413 section 6: a line has at most 1000 characters.
    MAX_LENGTH = 1000

    def sendLine(self, line: bytes | str) -> None:
        """Send `line` and the delimiter."""
        if isinstance(line, str):
            line = line.encode("utf-8", "surrogateescape")
        super().sendLine(line)


class IdentServer(_Lines):
    """
    Answers whose connections are. Subclasses override `lookup`.

    A line that is no query costs the connection.
    """

    def lineReceived(self, line: bytes | str) -> None:
        """A query came in."""
        match = _QUERY.fullmatch(_text(line))
        if match is None:
            self.invalidQuery()
            return
        on_server, on_client = int(match[1]), int(match[2])
        if 0 < on_server <= _MAX_PORT and 0 < on_client <= _MAX_PORT:
            self.validQuery(on_server, on_client)
        else:
            self.__refuse(on_server, on_client, InvalidPort())

    def invalidQuery(self) -> None:
        """What came is no query. Hangs up, unless overridden."""
        self.transport.loseConnection()

    def validQuery(self, portOnServer: int, portOnClient: int) -> None:
        """
        Look a connection up and answer.

        Args:
            portOnServer: its port on this machine.
            portOnClient: and on the one that asks.
        """
        server = self.transport.getHost().host, portOnServer
        client = self.transport.getPeer().host, portOnClient
        found: Deferred[Any] = maybeDeferred(self.lookup, server, client)
        found.addCallback(self.__answer, portOnServer, portOnClient)
        found.addErrback(self.__failed, portOnServer, portOnClient)

    def __answer(self, found: tuple[str, str], on_server: int, on_client: int) -> None:
        system, user = found
        answer = f"{on_server}, {on_client} : USERID : {system} : {user}"
        # RFC 1413 section 6: any octets but these.
        if re.search(r"[\0\r\n]", answer) or ":" in system:
            raise ValueError(f"a system or user name that cannot be sent: {found!r}")
        self.sendLine(answer)

    def __failed(self, failure: Failure, on_server: int, on_client: int) -> None:
        error = failure.value
        if not isinstance(error, IdentError):
            report(_log, "a lookup for ident failed", failure)
            error = IdentError()
        self.__refuse(on_server, on_client, error)

    def __refuse(self, on_server: int, on_client: int, error: IdentError) -> None:
        self.sendLine(f"{on_server}, {on_client} : ERROR : {error.identDescription}")

    def lookup(self, serverAddress: Address, clientAddress: Address) -> Any:
        """
        Say whose connection it is. For subclasses; may be a coroutine function.

        Args:
            serverAddress: its host and port here.
            clientAddress: and there, where the query comes from.

        Returns:
            the name of the operating system ("UNIX" and "OTHER" are among those
            that RFC 1413 knows) and that of the user; or a Deferred.

        Raises:
            IdentError: or one of its kinds, which the peer is told.
        """
        raise IdentError()


class ProcServerMixin:
    """
    Mixed into an `IdentServer`, before it: looks connections up in Linux's tables.

    Attributes:
        SYSTEM_NAME: what the operating system is said to be.
    """

    SYSTEM_NAME = "LINUX"

    def getUsername(self, uid: int, getpwuid: Callable[[int], Any] | None = _getpwuid) -> str:
        """
        The name of a user.

        Raises:
            NoUser: the number has no name.
        """
        if getpwuid is None:
            raise NoUser()
        try:
            return str(getpwuid(uid)[0])
        except KeyError:
            raise NoUser() from None

    def entries(self) -> Iterator[str]:
        """The lines of the table of TCP connections over IPv4."""
        with open("/proc/net/tcp") as table:
            yield from _rows(table)

    def dottedQuadFromHexString(self, hexstr: str) -> str:
        """An IPv4 address out of the table, which has it in the machine's byte order."""
        return str(ipaddress.IPv4Address(_machine_words(hexstr)))

    def unpackAddress(self, packed: str) -> Address:
        """A host and port out of the table, of IPv4 or IPv6."""
        host, _, port = packed.partition(":")
        if len(host) == 8:
            return self.dottedQuadFromHexString(host), int(port, 16)
        return str(ipaddress.IPv6Address(_machine_words(host))), int(port, 16)

    def parseLine(self, line: str) -> tuple[Address, Address, int]:
        """The address here, the address there and the user's number, out of a line."""
        columns = line.split()
        return self.unpackAddress(columns[1]), self.unpackAddress(columns[2]), int(columns[7])

    def lookup(self, serverAddress: Address, clientAddress: Address) -> tuple[str, str]:
        """
        Find a connection.

        Raises:
            NoUser: it is not there.
        """
        wanted = _plain(serverAddress), _plain(clientAddress)
        for line in _entries_over_ipv6() if ":" in serverAddress[0] else self.entries():
            here, there, uid = self.parseLine(line)
            if (_plain(here), _plain(there)) == wanted:
                return self.SYSTEM_NAME, self.getUsername(uid)
        raise NoUser()


def _rows(table: Any) -> Iterator[str]:
    next(table)  # the names of the columns
    for line in table:
        yield line.strip()


def _entries_over_ipv6() -> Iterator[str]:
    with open("/proc/net/tcp6") as table:
        yield from _rows(table)


def _machine_words(digits: str) -> bytes:
    """The bytes of numbers of 32 bits that are written one after the other."""
    return b"".join(struct.pack("=L", int(digits[i : i + 8], 16)) for i in range(0, len(digits), 8))


def _plain(address: Address) -> tuple[Any, int]:
    """Comparable, without the zone that a link-local address may have."""
    return ipaddress.ip_address(address[0].partition("%")[0]), address[1]


class IdentClient(_Lines):
    """
    Asks whose connections are; one at a time, the others wait.

    Attributes:
        errorTypes: the errors that an answer can stand for.
        queries: what has no answer yet: its Deferred and both ports, the oldest first.
    """

    errorTypes = (IdentError, NoUser, InvalidPort, HiddenUser)

    def __init__(self) -> None:
        self.queries: list[tuple[Deferred[tuple[str, str]], int, int]] = []
        self.__lost = False

    def lookup(self, portOnServer: int, portOnClient: int) -> Deferred[tuple[str, str]]:
        """
        Ask for a connection between this host and the one that is asked.

        Args:
            portOnServer: its port on the host that is asked, which is where the
                client came from.
            portOnClient: and on this one.

        Returns:
            a Deferred that fires with the name of the operating system and that of
            the user. It fails with `IdentError` or one of its kinds, also when the
            connection ends. Cancelled, its answer is dropped.
        """
        if self.__lost:
            return fail(IdentError("the connection has ended"))
        waiting: Deferred[tuple[str, str]] = Deferred()
        self.queries.append((waiting, portOnServer, portOnClient))
        if len(self.queries) == 1:
            self.__ask()
        return waiting

    def __ask(self) -> None:
        _, on_server, on_client = self.queries[0]
        self.sendLine(f"{on_server}, {on_client}")

    def lineReceived(self, line: bytes | str) -> None:
        """An answer came in. Without a question it costs the connection."""
        if not self.queries:
            self.transport.loseConnection()
            return
        waiting, on_server, on_client = self.queries.pop(0)
        if self.queries:
            self.__ask()
        self.__parse(waiting, _text(line), (on_server, on_client))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone: all queries fail."""
        self.__lost = True
        queries, self.queries = self.queries, []
        for waiting, _, _ in queries:
            waiting.errback(IdentError(reason))
        super().connectionLost(reason)

    def parseResponse(self, deferred: Deferred[tuple[str, str]], line: bytes | str) -> None:
        """
        Read an answer.

        Args:
            deferred: what to fire with it.
            line: as it came.
        """
        self.__parse(deferred, _text(line), None)

    def __parse(
        self, waiting: Deferred[tuple[str, str]], line: str, asked: tuple[int, int] | None
    ) -> None:
        # RFC 1413 section 6: a user's name may have colons in it.
        parts = [part.strip() for part in line.split(":", 3)]
        ports = _QUERY.fullmatch(parts[0])
        if len(parts) == 3 and parts[1] == "ERROR":
            known = {kind.identDescription: kind for kind in self.errorTypes}
            waiting.errback(known.get(parts[2], IdentError)(line))
        elif len(parts) != 4 or parts[1] != "USERID" or ports is None:
            waiting.errback(IdentError(f"no answer: {line!r}"))
        elif asked is not None and (int(ports[1]), int(ports[2])) != asked:
            waiting.errback(IdentError(f"the answer is about other ports: {line!r}"))
        else:
            waiting.callback((parts[2], parts[3]))
