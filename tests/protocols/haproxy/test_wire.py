"""PROXY headers from bytes: the specification's sections 2.1 and 2.2."""

from __future__ import annotations

import socket

import pytest
from _fuzz import chunkings
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet.address import IPv4Address, IPv6Address, UNIXAddress
from reactorlib.protocols.haproxy import InvalidProxyHeader, ProxyHeader
from reactorlib.protocols.haproxy._wire import (
    MAX_HEADER,
    MAX_TEXT,
    SIGNATURE,
    HeaderReader,
    crc32c,
)


def read(chunks: list[bytes]) -> tuple[ProxyHeader | None, bytes]:
    """The header, asked for after each chunk, and what is left in the end."""
    reader = HeaderReader()
    header = None
    for chunk in chunks:
        reader.feed(chunk)
        if header is None:
            header = reader.next_header()
    return header, reader.rest


def binary(command: int, kind: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([0x20 | command, kind]) + len(body).to_bytes(2) + body


def field(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2) + value


HOSTS4 = socket.inet_aton("192.0.2.1") + socket.inet_aton("192.0.2.2")
HOSTS6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") + socket.inet_pton(
    socket.AF_INET6, "2001:db8::2"
)
PORTS = (1234).to_bytes(2) + (80).to_bytes(2)
PATHS = b"/run/a".ljust(108, b"\0") + b"\0abstract".ljust(108, b"\0")


def summed(body: bytes) -> bytes:
    """With a checksum at its end, section 2.2.3."""
    whole = binary(1, 0x11, body + field(3, bytes(4)))
    return whole[:-4] + crc32c(whole).to_bytes(4)


CLIENT4, SERVER4 = IPv4Address("TCP", "192.0.2.1", 1234), IPv4Address("TCP", "192.0.2.2", 80)
CLIENT6, SERVER6 = IPv6Address("TCP", "2001:db8::1", 1234), IPv6Address("TCP", "2001:db8::2", 80)

GOOD = [
    (
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n",
        ProxyHeader(1, CLIENT4, SERVER4),
    ),
    (
        b"PROXY TCP6 2001:db8::1 2001:db8:0::2 1234 80\r\n",
        ProxyHeader(1, CLIENT6, SERVER6),
    ),
    (b"PROXY UNKNOWN\r\n", ProxyHeader(1)),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ProxyHeader(1)),
    (binary(0, 0, b""), ProxyHeader(2)),
    (binary(0, 0x11, HOSTS4 + PORTS), ProxyHeader(2)),  # LOCAL: to be ignored
    (binary(1, 0, b"whatever"), ProxyHeader(2)),  # UNSPEC: likewise
    (binary(1, 0x11, HOSTS4 + PORTS), ProxyHeader(2, CLIENT4, SERVER4)),
    (
        binary(1, 0x12, HOSTS4 + PORTS),
        ProxyHeader(2, IPv4Address("UDP", "192.0.2.1", 1234), IPv4Address("UDP", "192.0.2.2", 80)),
    ),
    (binary(1, 0x21, HOSTS6 + PORTS), ProxyHeader(2, CLIENT6, SERVER6)),
    (
        binary(1, 0x31, PATHS),
        ProxyHeader(2, UNIXAddress(b"/run/a"), UNIXAddress(b"\0abstract")),
    ),
    (binary(1, 0x31, bytes(216)), ProxyHeader(2, UNIXAddress(None), UNIXAddress(None))),
    (
        binary(1, 0x11, HOSTS4 + PORTS + field(4, b"\0" * 3) + field(2, b"a.example")),
        ProxyHeader(2, CLIENT4, SERVER4, ((2, b"a.example"),)),
    ),
]


@pytest.mark.parametrize(("wire", "header"), GOOD)
@pytest.mark.parametrize("rest", [b"", b"PROXY \r\n\r\nmore"])
def test_headers_do_not_depend_on_chunking(wire: bytes, header: ProxyHeader, rest: bytes) -> None:
    for chunks in chunkings(wire + rest):
        assert read(chunks) == (header, rest)


@pytest.mark.parametrize(("wire", "header"), GOOD)
def test_nothing_is_known_before_the_end(wire: bytes, header: ProxyHeader) -> None:
    for end in range(len(wire)):
        assert read([wire[:end]])[0] is None


def test_the_checksum() -> None:
    """RFC 3720 appendix B.4 has the vector; section 2.2.3 of ours says what is summed."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"123456789") == 0xE3069283
    wire = summed(HOSTS4 + PORTS)
    header, _ = read([wire])
    assert header is not None
    assert (header.source, header.extensions) == (CLIENT4, ((3, wire[-4:]),))
    with pytest.raises(InvalidProxyHeader, match="checksum"):
        read([wire[:-1] + bytes([wire[-1] ^ 1])])


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"GET / HTTP/1.0\r\n", "begins with a PROXY header"),
        (b"\r\n\r\n\0\r\nQUIT\r", "begins with a PROXY header"),
        (b"proxy TCP4 192.0.2.1 192.0.2.2 1234 80\r\n", "begins with a PROXY header"),
        (b"PROXY\r\n", "begins with a PROXY header"),
        (b"PROXY \r\n", "is no header"),
        (b"PROXY TCP4\r\n", "is no header"),
        (b"PROXY TCP5 192.0.2.1 192.0.2.2 1234 80\r\n", "is no header"),
        (b"PROXY TCP4  192.0.2.1 192.0.2.2 1234 80\r\n", "is no header"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80 \r\n", "is no header"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n", "is no header"),
        (b"PROXY TCP4 2001:db8::1 192.0.2.2 1234 80\r\n", "no address of the family TCP4"),
        (b"PROXY TCP4 192.0.2.256 192.0.2.2 1234 80\r\n", "no address of the family TCP4"),
        (b"PROXY TCP4 192.0.02.1 192.0.2.2 1234 80\r\n", "no address of the family TCP4"),
        (b"PROXY TCP6 192.0.2.1 2001:db8::1 1234 80\r\n", "no address of the family TCP6"),
        (b"PROXY TCP6 fe80::1%lo ::1 1234 80\r\n", "no address of the family TCP6"),
        (b"PROXY TCP4 192.0.2.1 \xff 1234 80\r\n", "no address of the family TCP4"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 65536\r\n", "is no port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 01234 80\r\n", "is no port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n", "is no port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\n" + b"x" * MAX_TEXT, "no end of line"),
        (SIGNATURE + b"\x11\x11\x00\x0c" + HOSTS4 + PORTS, "version 1"),
        (binary(2, 0x11, HOSTS4 + PORTS), "command 2"),
        (binary(1, 0x13, HOSTS4 + PORTS), "family and protocol 0x13"),
        (binary(1, 0x41, HOSTS4 + PORTS), "family and protocol 0x41"),
        (binary(1, 0x11, HOSTS4), "8 bytes of addresses, which take 12"),
        (binary(1, 0x11, HOSTS4 + PORTS + b"\1"), "a field is cut off"),
        (binary(1, 0x11, HOSTS4 + PORTS + b"\1\0\2x"), "longer than the header"),
        (binary(1, 0x11, HOSTS4 + PORTS + field(3, b"abc")), "checksum"),
    ],
)
def test_what_breaks_a_rule_is_refused(wire: bytes, why: str) -> None:
    for chunks in chunkings(wire):
        with pytest.raises(InvalidProxyHeader, match=why):
            read(chunks)


def test_the_first_wrong_byte_is_enough() -> None:
    for wire in (b"PROXX", b"\r\n\r\n\0\r\nQ-", b"X"):
        assert read([wire[:-1]]) == (None, wire[:-1])
        with pytest.raises(InvalidProxyHeader):
            read([wire])


def test_the_longest_headers() -> None:
    text = b"PROXY UNKNOWN "
    longest = text + b"x" * (MAX_TEXT - len(text) - 2) + b"\r\n"
    assert read([longest]) == (ProxyHeader(1), b"")
    with pytest.raises(InvalidProxyHeader, match="no end of line within 107 bytes"):
        read([longest[:-2] + b"x\r\n"])

    room = MAX_HEADER - 16 - 12 - 3
    wire = binary(1, 0x11, HOSTS4 + PORTS + field(5, b"x" * room))
    header, _ = read([wire])
    assert header is not None
    assert header.extensions == ((5, b"x" * room),)
    wire = binary(1, 0x11, HOSTS4 + PORTS + field(5, b"x" * (room + 1)))
    with pytest.raises(InvalidProxyHeader, match="over 4096"):
        read([wire[:16]])  # before its body has come


@given(st.binary(max_size=300), st.sampled_from([b"", b"PROXY ", SIGNATURE, SIGNATURE + b"\x21"]))
def test_any_bytes_are_a_header_or_refused(data: bytes, start: bytes) -> None:
    """And it is the same whole and byte by byte."""
    wire = start + data
    outcomes: list[object] = []
    for chunks in ([wire], [wire[i : i + 1] for i in range(len(wire))]):
        try:
            outcomes.append(read(chunks))
        except InvalidProxyHeader as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


addresses4 = st.builds(
    lambda host, port: IPv4Address("TCP", str(host), port),
    st.ip_addresses(v=4),
    st.integers(0, 65535),
)
addresses6 = st.builds(
    lambda host, port: IPv6Address("TCP", str(host), port),
    st.ip_addresses(v=6),
    st.integers(0, 65535),
)
pairs = st.tuples(addresses4, addresses4) | st.tuples(addresses6, addresses6)


@given(pairs, st.binary())
def test_text_written_is_read(
    pair: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address], rest: bytes
) -> None:
    source, destination = pair
    family = "TCP4" if isinstance(source, IPv4Address) else "TCP6"
    line = f"PROXY {family} {source.host} {destination.host} {source.port} {destination.port}\r\n"
    assert read([line.encode() + rest]) == (ProxyHeader(1, source, destination), rest)


@given(pairs, st.lists(st.tuples(st.integers(5, 255), st.binary(max_size=50)), max_size=5))
def test_binary_written_is_read(
    pair: tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address],
    extensions: list[tuple[int, bytes]],
) -> None:
    family = socket.AF_INET if isinstance(pair[0], IPv4Address) else socket.AF_INET6
    body = b"".join(socket.inet_pton(family, each.host) for each in pair)
    body += b"".join(each.port.to_bytes(2) for each in pair)
    body += b"".join(field(*each) for each in extensions)
    wire = binary(1, 0x11 if family == socket.AF_INET else 0x21, body)
    source, destination = (
        type(each)("TCP", socket.inet_ntop(family, socket.inet_pton(family, each.host)), each.port)
        for each in pair
    )
    expected = ProxyHeader(2, source, destination, tuple(extensions))
    assert read([wire]) == (expected, b"")
