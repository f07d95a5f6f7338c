"""Addresses: values that can be compared, hashed and shown."""

from __future__ import annotations

import copy
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

from reactorlib.internet.address import (
    HostnameAddress,
    IPv4Address,
    IPv6Address,
    UNIXAddress,
    from_sockname,
    tcp4,
)
from reactorlib.internet.interfaces import IAddress

FOUR = IPv4Address("TCP", "127.0.0.1", 80)
SIX = IPv6Address("TCP", "::1", 80)
NAME = HostnameAddress(b"example.org", 80)
PATH = UNIXAddress(b"/run/example")

DIFFERENT: list[Any] = [
    FOUR,
    IPv4Address("UDP", "127.0.0.1", 80),
    IPv4Address("TCP", "127.0.0.2", 80),
    IPv4Address("TCP", "127.0.0.1", 81),
    SIX,
    IPv6Address("UDP", "::1", 80),
    IPv6Address("TCP", "::2", 80),
    IPv6Address("TCP", "::1", 81),
    IPv6Address("TCP", "::1", 80, 1),
    IPv6Address("TCP", "::1", 80, 0, 1),
    IPv6Address("TCP", "::1", 80, 0, "eth0"),
    NAME,
    HostnameAddress(b"example.com", 80),
    HostnameAddress(b"example.org", 81),
    PATH,
    UNIXAddress(b"/run/other"),
    UNIXAddress(b"\0example"),
    UNIXAddress(None),
]
ids = repr


@pytest.mark.parametrize("address", DIFFERENT, ids=ids)
def test_an_address_is_equal_to_its_like_alone(address: Any) -> None:
    for other in DIFFERENT:
        assert (address == other) == (address is other)
        assert (address != other) == (address is not other)
    assert address != "127.0.0.1"
    assert address != ("TCP", "127.0.0.1", 80)


@pytest.mark.parametrize("address", DIFFERENT, ids=ids)
def test_a_copy_is_the_same_address(address: Any) -> None:
    for again in (copy.deepcopy(address), pickle.loads(pickle.dumps(address))):
        assert again is not address
        assert again == address
        assert hash(again) == hash(address)
        assert repr(again) == repr(address)


@pytest.mark.parametrize("address", DIFFERENT, ids=ids)
def test_an_address_is_an_address(address: Any) -> None:
    assert IAddress.providedBy(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (FOUR, "IPv4Address(type='TCP', host='127.0.0.1', port=80)"),
        (SIX, "IPv6Address(type='TCP', host='::1', port=80, flowInfo=0, scopeID=0)"),
        (NAME, "HostnameAddress(hostname=b'example.org', port=80)"),
        (PATH, "UNIXAddress('/run/example')"),
        (UNIXAddress("/run/example"), "UNIXAddress('/run/example')"),
        (UNIXAddress(b"\0example"), r"UNIXAddress('\x00example')"),
        (UNIXAddress(None), "UNIXAddress(None)"),
    ],
)
def test_repr(address: Any, shown: str) -> None:
    assert repr(address) == shown


@pytest.mark.parametrize("kind", ["tcp", "SCTP", "", None, 6])
@pytest.mark.parametrize("cls", [IPv4Address, IPv6Address])
def test_an_ip_address_is_of_tcp_or_udp(cls: Any, kind: Any) -> None:
    with pytest.raises(ValueError, match="'TCP' or 'UDP'"):
        cls(kind, "::1", 80)


@pytest.mark.parametrize(("address", "field"), [(FOUR, "host"), (SIX, "port"), (NAME, "port")])
def test_an_address_cannot_be_changed(address: Any, field: str) -> None:
    with pytest.raises(AttributeError):
        setattr(address, field, 0)


@pytest.mark.parametrize(
    ("family", "name", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 80), FOUR),
        (socket.AF_INET6, ("::1", 80, 0, 0), SIX),
        (socket.AF_INET6, ("::1", 80), SIX),
        (
            socket.AF_INET6,
            ("fe80::1", 80, 3, 1),
            IPv6Address("TCP", "fe80::1%lo", 80, flowInfo=3, scopeID=1),
        ),
        (socket.AF_UNIX, "/run/example", PATH),
        (socket.AF_UNIX, b"\0example", UNIXAddress(b"\0example")),
        (socket.AF_UNIX, "", UNIXAddress(None)),
        (socket.AF_UNIX, b"", UNIXAddress(None)),
        (socket.AF_UNIX, None, UNIXAddress(None)),
    ],
)
def test_from_sockname(family: int, name: Any, address: Any) -> None:
    found = from_sockname(name, family)
    assert found == address
    assert repr(found) == repr(address)


def test_unix_addresses_of_the_same_file_are_equal(tmp_path: Path) -> None:
    there = tmp_path / "socket"
    there.touch()
    os.link(there, tmp_path / "linked")
    (tmp_path / "other").touch()
    one, two = UNIXAddress(os.fsencode(there)), UNIXAddress(str(tmp_path / "linked"))
    assert one == two
    assert hash(one) == hash(two)
    assert one != UNIXAddress(str(tmp_path / "other"))
    assert one != UNIXAddress(str(tmp_path / "missing"))


def test_a_unix_address_takes_any_name_that_a_file_may_have() -> None:
    assert UNIXAddress("/run/\udcff").name == b"/run/\xff"
    assert UNIXAddress(b"/run/\xff").name == b"/run/\xff"


def test_an_address_that_the_system_has_given_is_as_any_other() -> None:
    given = tcp4("127.0.0.1", 80)
    assert (given, hash(given), repr(given)) == (FOUR, hash(FOUR), repr(FOUR))
    with pytest.raises(AttributeError):
        given.port = 1  # type: ignore[misc]
