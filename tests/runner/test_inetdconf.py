"""inetd.conf(5), services(5), protocols(5): what is read, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.runner.inetdconf import (
    InetdConf,
    InvalidConfError,
    InvalidInetdConfError,
    InvalidProtocolsConfError,
    InvalidServicesConfError,
    ProtocolsConf,
    ServicesConf,
    SimpleConfFile,
    UnknownService,
)

SERVICES = {("http", "tcp"): 80, ("tftp", "udp"): 69}


def read(text: str) -> InetdConf:
    conf = InetdConf(SERVICES)
    conf.protocols = {"sctp": 132}
    conf.parseFile(io.StringIO(text))
    return conf


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "http stream tcp nowait www:web /usr/bin/httpd httpd -i",
            ("http", 80, "stream", "tcp", False, "www", "web", "/usr/bin/httpd", ["httpd", "-i"]),
        ),
        (
            "\ttftp  dgram udp wait root.wheel /usr/bin/tftpd   # on datagrams",
            ("tftp", 69, "dgram", "udp", True, "root", "wheel", "/usr/bin/tftpd", ["tftpd"]),
        ),
        (
            "8123 stream tcp6 wait me /bin/sh sh -c 'echo # \"x\"'",
            (
                *("8123", 8123, "stream", "tcp6", True, "me", None, "/bin/sh"),
                ["sh", "-c", 'echo # "x"'],
            ),
        ),
        (
            "/run/x stream unix nowait me/daemon /bin/cat -",
            ("/run/x", "/run/x", "stream", "unix", False, "me", None, "/bin/cat", ["-"]),
        ),
        (
            "chargen dgram udp nowait root internal",
            ("chargen", 19, "dgram", "udp", False, "root", None, "internal", []),
        ),
        (
            "80 stream tcp nowait me /bin/x x \\n #not",
            ("80", 80, "stream", "tcp", False, "me", None, "/bin/x", ["x", "\\n"]),
        ),
    ],
)
def test_a_line(line: str, expected: tuple[object, ...]) -> None:
    (service,) = read(f"# services\n\n{line}\n").services
    assert (
        *(service.name, service.port, service.socketType, service.protocol, service.wait),
        *(service.user, service.group, service.program, service.programArgs),
    ) == expected
    assert (service.address, service.rate) == ("", 256)
    assert service.internal == (expected[7] == "internal")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("127.0.0.1:http", "127.0.0.1"),
        ("[::1]:80", "::1"),
        ("::1:80", "::1"),
        ("*:80", ""),
        ("localhost:80", "localhost"),
    ],
)
def test_an_address(name: str, address: str) -> None:
    (service,) = read(f"{name} stream tcp nowait.9 me /bin/x").services
    assert (service.address, service.port, service.rate) == (address, 80, 9)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("http stream tcp nowait root", "it has 5 fields: missing .*'program'"),
        ("http", "it has 1 fields"),
        ("gopher stream tcp nowait me /bin/x", "no port of 'gopher' over tcp is known"),
        ("http dgram udp wait me /bin/x", "no port of 'http' over udp"),
        ("65536 stream tcp nowait me /bin/x", "no port 65536"),
        ("80 stream sctp nowait me /bin/x", "'sctp' cannot be served"),
        ("80 stream tpc nowait me /bin/x", "'tpc' is not known"),
        ("rstatd/2 dgram rpc/udp wait me /bin/x", "Sun RPC"),
        ("80 dgram tcp wait me /bin/x", "sockets of tcp are stream, and not 'dgram'"),
        ("/x raw unix wait me /bin/x", "sockets of unix are stream or dgram"),
        ("x stream unix nowait me /bin/x", "no path of a UNIX socket"),
        ("80 stream tcp later me /bin/x", "'later' is neither wait nor nowait"),
        ("80 stream tcp nowait.0 me /bin/x", "may never be started"),
        ("80 stream tcp nowait.x me /bin/x", "neither wait nor nowait"),
        ("80 stream tcp nowait :me /bin/x", "':me' is not of the form user"),
        ("69 dgram udp nowait me /bin/x", "has to be 'wait'"),
        ("80 stream tcp nowait me /bin/x 'a b", "a quotation has no end"),
        ("80 stream tcp nowait me /bin/x " + "x" * 20_000, "longer than 16384"),
    ],
)
def test_a_wrong_line_is_said_to_be_so(line: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "inetd.conf"
    path.write_text(f"# first\n80 stream tcp nowait me /bin/x\n{line}\n")
    conf = InetdConf(SERVICES)
    conf.protocols = {"sctp": 132}
    conf.defaultFilename = str(path)
    with pytest.raises(InvalidInetdConfError, match=why) as caught:
        conf.parseFile()
    assert (caught.value.filename, caught.value.line) == (str(path), 3)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_an_unknown_service_is_an_error_of_its_own() -> None:
    with pytest.raises(UnknownService, match=r"^1: no port of 'gopher'"):
        read("gopher stream tcp nowait me /bin/x")


def test_internal_services_have_ports_without_a_file() -> None:
    conf = InetdConf({})
    conf.parseFile(["time stream tcp nowait root internal"])
    assert conf.services[0].port == 37
    assert str(conf.services[0]) == "line 1: time (tcp)"


def test_services() -> None:
    conf = ServicesConf()
    conf.parseFile(
        io.StringIO("http 80/tcp www web # the web\n\n# x\nhttp\t80/UDP\nwww 8080/tcp\n0x 0/tcp")
    )
    assert conf.services == {
        ("http", "tcp"): 80,
        ("www", "tcp"): 80,
        ("web", "tcp"): 80,
        ("http", "udp"): 80,
        ("0x", "tcp"): 0,
    }


@pytest.mark.parametrize("line", ["http", "http 80", "http 80/", "http 65536/tcp", "http x/tcp"])
def test_wrong_services(line: str) -> None:
    with pytest.raises(InvalidServicesConfError, match=r"^1: "):
        ServicesConf().parseFile([line])


def test_protocols() -> None:
    conf = ProtocolsConf()
    conf.parseFile(["ip 0 IP # internet protocol", "tcp 6 TCP"])
    assert conf.protocols == {"ip": 0, "IP": 0, "tcp": 6, "TCP": 6}
    for line in ("ip", "ip x", "ip -1", "ip 123456"):
        with pytest.raises(InvalidProtocolsConfError, match=r"^1: "):
            ProtocolsConf().parseFile([line])


def test_the_systems_own_files() -> None:
    for conf in (ServicesConf(), ProtocolsConf()):
        assert conf.defaultFilename is not None
        if Path(conf.defaultFilename).exists():
            conf.parseFile()


def test_a_file_of_another_kind() -> None:
    class Pairs(SimpleConfFile):
        commentChar = "//"

        def __init__(self) -> None:
            self.pairs: list[tuple[str, str]] = []

        def parseFields(self, key: str, value: str) -> None:
            self.pairs.append((key, value))

    pairs = Pairs()
    pairs.parseFile(["a b // c", "// d", "e f//g"])
    assert pairs.pairs == [("a", "b"), ("e", "f//g")]
    with pytest.raises(InvalidConfError, match=r"^2: it has 3 fields: too many"):
        pairs.parseFile(["a b", "a b c"])
    with pytest.raises(ValueError, match="no default file"):
        pairs.parseFile()


@given(st.text(alphabet="abc019 \t/:.#'\"\\*[]-\0\nü"))
def test_whatever_is_in_a_file(text: str) -> None:
    """It is taken, or it is said which line is wrong."""
    for prefix in ("", "80 stream tcp nowait me ", "80 stream tcp "):
        check(partial(read, prefix + text))
    for conf in (ServicesConf(), ProtocolsConf()):
        check(partial(conf.parseFile, io.StringIO(text)))


def check(parse: Callable[[], object]) -> None:
    wrong: InvalidConfError | None = None
    try:
        parse()
    except InvalidConfError as error:
        wrong = error
    assert wrong is None or wrong.line is not None
