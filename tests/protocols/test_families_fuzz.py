"""The parsers of the small protocols, with random input cut in every way."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from _fuzz import FUZZ_SECONDS, fuzz

from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.task import Clock
from reactorlib.internet.testing import StringTransport
from reactorlib.protocols import ftp
from reactorlib.protocols.finger import Finger
from reactorlib.protocols.haproxy import InvalidProxyHeader
from reactorlib.protocols.haproxy._wire import SIGNATURE, HeaderReader
from reactorlib.protocols.ident import IdentClient, IdentServer
from reactorlib.protocols.memcache import MemCacheProtocol
from reactorlib.protocols.postfix import PostfixTCPMapDictServerFactory, PostfixTCPMapServer
from reactorlib.python.failure import Failure

pytestmark = pytest.mark.timeout(FUZZ_SECONDS + 60)

GONE = Failure(ConnectionDone())


def outcome(waiting: Deferred[Any]) -> object:
    """What it has fired with, or the type of the error."""
    seen: list[object] = []
    waiting.addCallbacks(seen.append, lambda failure: seen.append(failure.type))
    return seen[0] if seen else "waits"


def feed(protocol: Any, chunks: list[bytes]) -> tuple[bytes, bool]:
    """What it has written in the end, and whether it has hung up."""
    transport = StringTransport()
    protocol.makeConnection(transport)
    for chunk in chunks:
        if transport.disconnecting or transport.disconnected:
            break  # no transport delivers more
        protocol.dataReceived(chunk)
    over = transport.disconnecting or transport.disconnected
    protocol.connectionLost(GONE)
    return transport.value(), over


# -- PROXY headers ------------------------------------------------------------


def proxy_header(rng: random.Random) -> bytes:
    rest = rng.randbytes(rng.randrange(4))
    if rng.randrange(2):
        family, one, other = rng.choice(
            [
                (b"TCP4", b"192.0.2.1", b"192.0.2.2"),
                (b"TCP6", b"2001:db8::1", b"::1"),
                (b"UNKNOWN", b"", b""),
            ]
        )
        return b"PROXY %s %s %s 1234 80\r\n" % (family, one, other) + rest
    kind, size = rng.choice([(0x11, 12), (0x12, 12), (0x21, 36), (0x22, 36), (0x31, 216), (0, 0)])
    fields = b"".join(
        bytes([rng.randrange(1, 6)]) + (n := rng.randrange(6)).to_bytes(2, "big") + rng.randbytes(n)
        for _ in range(rng.randrange(3))
    )
    body = rng.randbytes(size) + fields
    start = bytes([0x20 | rng.randrange(2), kind]) + len(body).to_bytes(2, "big")
    return SIGNATURE + start + body + rest


def read_header(chunks: list[bytes]) -> object:
    reader = HeaderReader()
    header = None
    for chunk in chunks:
        reader.feed(chunk)
        try:
            header = header or reader.next_header()
        except InvalidProxyHeader as error:
            return str(error)
    return header, reader.rest


def test_proxy_headers() -> None:
    fuzz(proxy_header, read_header)


# -- memcache -----------------------------------------------------------------


def memcache_answers(rng: random.Random) -> bytes:
    value = rng.randbytes(rng.randrange(9))
    some = [
        b"VALUE a 7 %d\r\n%s\r\nEND\r\n" % (len(value), value),
        b"END\r\n",
        b"STORED\r\n",
        b"NOT_STORED\r\n",
        b"12\r\n",
        b"VALUE a 0 0 55\r\n\r\nVALUE b 1 2 56\r\n\r\n\r\nEND\r\n",
        b"STAT items 2\r\nEND\r\n",
        b"SERVER_ERROR out of memory\r\n",
        b"CLIENT_ERROR\r\n",
        b"VERSION 1.6\r\n",
    ]
    return b"".join(rng.choices(some, k=rng.randrange(1, 7)))


def ask_memcache(chunks: list[bytes]) -> object:
    protocol = MemCacheProtocol()
    vars(protocol)["callLater"] = Clock().callLater
    transport = StringTransport()
    protocol.makeConnection(transport)
    waiting: list[Deferred[Any]] = [
        protocol.get(b"a"),
        protocol.set(b"b", b"x"),
        protocol.increment(b"c", 5),
        protocol.getMultiple([b"a", b"b"], True),
        protocol.stats(b"items"),
        protocol.version(),
    ]
    try:
        over: object = feed_on(protocol, transport, chunks)
    except RuntimeError as error:  # that is what a connection is lost with
        over = str(error)
        protocol.connectionLost(Failure(error))
    return [outcome(each) for each in waiting], over


def feed_on(protocol: Any, transport: StringTransport, chunks: list[bytes]) -> bool:
    for chunk in chunks:
        if transport.disconnecting or transport.disconnected:
            break
        protocol.dataReceived(chunk)
    over = transport.disconnecting or transport.disconnected
    protocol.connectionLost(GONE)
    return over


def test_memcache() -> None:
    fuzz(memcache_answers, ask_memcache)


# -- FTP ----------------------------------------------------------------------


def ftp_client(chunks: list[bytes]) -> object:
    client, transport = ftp.FTPClientBasic(), StringTransport()
    client.makeConnection(transport)
    waiting = [client.queueStringCommand(each) for each in ("USER me", "PWD", "QUIT")]
    over = feed_on(client, transport, chunks)
    return client.greeting, [outcome(each) for each in waiting], transport.value(), over


class Listed(ftp.FTPFileListProtocol):
    def __init__(self) -> None:
        super().__init__()
        self.unknown: list[str] = []

    def unknownLine(self, line: str) -> None:
        self.unknown.append(line)


def ftp_list(chunks: list[bytes]) -> object:
    listed = Listed()
    return feed(listed, chunks), listed.files, listed.unknown


# -- protocols of lines -------------------------------------------------------


class Ident(IdentServer):
    def lookup(self, serverAddress: Any, clientAddress: Any) -> tuple[str, str]:
        return "UNIX", "me"


def ident_server(chunks: list[bytes]) -> object:
    return feed(Ident(), chunks)


def ident_client(chunks: list[bytes]) -> object:
    client, transport = IdentClient(), StringTransport()
    client.makeConnection(transport)
    waiting = [client.lookup(port, port) for port in (1, 23, 65535)]
    over = feed_on(client, transport, chunks)
    return [outcome(each) for each in waiting], transport.value(), over


class Person(Finger):
    def getUser(self, slash_w: bool, user: bytes) -> None:
        self.transport.write(b"%d %s" % (slash_w, user))
        self.transport.loseConnection()


def finger(chunks: list[bytes]) -> object:
    return feed(Person(), chunks)


def postfix(chunks: list[bytes]) -> object:
    protocol = PostfixTCPMapServer()
    factory: Any = PostfixTCPMapDictServerFactory({b"key": b"a value"})
    vars(protocol).update(callLater=Clock().callLater, factory=factory)
    return feed(protocol, chunks)


LINES: list[tuple[Callable[[list[bytes]], object], list[bytes]]] = [
    (ident_server, [b"1, 2", b" 23 ,6193 ", b"0, 1", b"", b"a,b", b"1,2,3", b"70000, 2"]),
    (
        ident_client,
        [
            b"1, 1 : USERID : UNIX : me",
            b"23, 23 : USERID : OTHER,X : \xff: y",
            b"1, 1 : ERROR : NO-USER",
            b"23, 23 : ERROR : HIDDEN-USER",
            b"1, 1 : ERROR : WHAT",
            b"nonsense",
            b"",
        ],
    ),
    (
        ftp_client,
        [
            b"220 hello",
            b"220-hello",
            b"220 end",
            b"331 go on",
            b"230-in\r\n stays\r\n230 in",
            b"550 no",
            b'257 "/"',
            b"nonsense",
            b"",
            b"99",
            b"\xff\xfe",
            b"220-",
        ],
    ),
    (
        ftp_list,
        [
            b"-rw-r--r--   1 root     other        531 Jan 29 03:26 README",
            b"dr-xr-xr-x   2 root     512 Apr  8  1994 etc",
            b"lrwxrwxrwx   1 root     other          7 Jan 25 00:17 bin -> usr/bin",
            b"total 12",
            b"\xff nonsense",
        ],
    ),
    (finger, [b"", b"me", b"/W me", b"/W", b"me@there", b"x" * 600]),
    (
        postfix,
        [b"get key", b"get nokey", b"get k%65y", b"get %zz", b"put a b", b"what", b"", b"GET key"],
    ),
]


@pytest.mark.parametrize(("play", "lines"), LINES, ids=[play.__name__ for play, _ in LINES])
def test_lines(play: Callable[[list[bytes]], object], lines: list[bytes]) -> None:
    def make(rng: random.Random) -> bytes:
        return b"".join(line + b"\r\n" for line in rng.choices(lines, k=rng.randrange(1, 5)))

    fuzz(make, play)
