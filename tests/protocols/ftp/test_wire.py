"""Paths and addresses on the wire, and the limits of waiting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.internet.task import Clock
from reactorlib.protocols import ftp
from reactorlib.protocols.ftp._address import same_host


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1)), st.text("ab./\0"))
def test_segments_have_no_way_out(cwd: list[str], path: str) -> None:
    cwd = [name for name in cwd if name not in (".", "..")]
    try:
        segments = ftp.toSegments(cwd, path)
    except ftp.InvalidPath:
        return
    assert all(name and "/" not in name and name not in (".", "..") for name in segments)
    assert not any("\0" in name for name in segments)


@given(st.ip_addresses(v=4), st.integers(0, 65535))
def test_hosts_and_ports_there_and_back(host: object, port: int) -> None:
    assert ftp.decodeHostPort(ftp.encodeHostPort(str(host), port)) == (str(host), port)
    assert ftp.decodeExtendedAddress(f"|1|{host}|{port}|") == ("1", str(host), port)


@given(st.text("0123456789,|x "))
def test_what_is_no_address_is_a_value_error(text: str) -> None:
    for decode in (ftp.decodeHostPort, ftp.decodeExtendedAddress):
        try:
            *_, port = decode(text)
        except ValueError:
            continue
        assert 0 <= port <= 65535


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "::1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "127.0.0.1", False),
        ("fe80::1%1", "fe80::1%1", True),
        ("nonsense", "127.0.0.1", False),
    ],
)
def test_the_same_host(one: str, other: str, same: bool) -> None:
    assert same_host(one, other) is same


def test_quoted_paths() -> None:
    """RFC 959 appendix II."""
    assert ftp.parsePWDResponse('257 "/a""b" is it') == '/a"b'
    assert ftp.parsePWDResponse("257 /a") is None


def test_every_code_has_a_text() -> None:
    codes = {
        value for name, value in vars(ftp).items() if name.isupper() and isinstance(value, str)
    }
    assert codes == set(ftp.RESPONSE)


class _Address:
    def __init__(self, host: str) -> None:
        self.host = host


def test_a_data_connection_is_the_clients_and_the_first() -> None:
    class Interpreter:
        dtpInstance = None

    clock = Clock()
    factory = ftp.DTPFactory(Interpreter(), "10.0.0.1", clock)
    factory.setTimeout(5)
    assert factory.buildProtocol(_Address("10.0.0.2")) is None
    assert factory.buildProtocol(_Address("10.0.0.1")) is not None
    assert factory.buildProtocol(_Address("10.0.0.1")) is None
    assert clock.getDelayedCalls() == []


def test_a_data_connection_that_does_not_come() -> None:
    clock = Clock()
    factory = ftp.DTPFactory(object(), "10.0.0.1", clock)
    factory.setTimeout(5)
    got: list[object] = []
    factory.deferred.addErrback(lambda failure: got.append(failure.type))
    clock.advance(4)
    assert got == []
    clock.advance(1)
    assert got == [ftp.PortConnectionError]
    assert factory.buildProtocol(_Address("10.0.0.1")) is None
