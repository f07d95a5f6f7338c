"""poetry_transform.py and transform_client.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ._program import EXAMPLES, Address, Peer, Program, Server, at

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]

HOPE = (EXAMPLES / "poems" / "hope.txt").read_text()


def netstring(text: str) -> bytes:
    data = text.encode()
    return b"%d:%s," % (len(data), data)


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ("lower.O Rose, Thou. Art", "o rose, thou. art"),
        ("shout.straße", "STRASSE"),
        ("backwards.one\ntwo\nthree", "three\ntwo\none"),
        ("shout.", ""),
    ],
)
def test_a_request_is_answered(start: Start, dial: Dial, request_text: str, answer: str) -> None:
    program = start("poetry_transform.py", "--port", 0)
    peer = dial(program.read_address())
    peer.send(netstring(request_text))
    assert peer.read(len(netstring(answer))) == netstring(answer)
    program.stop()


def test_requests_may_be_cut_anywhere(start: Start, dial: Dial, way: str) -> None:
    program = start("poetry_transform.py", "--port", 0, "--loop", way)
    peer = dial(program.read_address())
    wire = netstring("lower.A") + netstring("shout.b")
    for i in range(len(wire)):
        peer.send(wire[i : i + 1])
    assert peer.read(8) == b"1:a,1:B,"
    peer.send(wire)
    assert peer.read(8) == b"1:a,1:B,"
    program.stop()


@pytest.mark.parametrize(
    "wire",
    [
        b"shout.no netstring at all",
        b"3:abcd",  # no comma where one has to be
        b"999999999:",  # longer than anybody may send
        netstring("whisper.a name that it does not know"),
        netstring("no full stop"),
        b"5:\xff\xfe\xfd\xfc\xfb,",
    ],
)
def test_what_makes_no_sense_is_hung_up_on(start: Start, dial: Dial, wire: bytes, way: str) -> None:
    """Others are served on, and there is no traceback."""
    program = start("poetry_transform.py", "--port", 0, "--loop", way)
    address = program.read_address()
    good, bad = dial(address), dial(address)
    bad.send(wire)
    assert bad.read_all() == b""
    good.send(netstring("shout.still here"))
    assert good.read(14) == b"10:STILL HERE,"
    program.stop()


def test_the_client_asks_and_prints(start: Start, server: Server, way: str) -> None:
    client = start("transform_client.py", "--loop", way, at(server.address), "lower")
    peer = server.accept()
    request = netstring("lower." + HOPE)
    assert peer.read(len(request)) == request
    answer = netstring("Or something\nquite different")
    peer.send(answer[:10])
    peer.send(answer[10:])
    assert client.finish() == "Or something\nquite different\n"
    assert (client.status, client.stderr) == (0, "")
    assert peer.read_all() == b""
    peer.close()


def test_client_and_server_together(start: Start, way: str) -> None:
    server = start("poetry_transform.py", "--port", 0, "--loop", way)
    client = start("transform_client.py", "--loop", way, at(server.read_address()), "shout")
    assert client.finish() == HOPE.upper() + "\n"
    assert (client.status, client.stderr) == (0, "")
    server.stop()


def test_the_client_says_when_the_server_hangs_up(start: Start, way: str) -> None:
    server = start("poetry_transform.py", "--port", 0, "--loop", way)
    client = start("transform_client.py", "--loop", way, at(server.read_address()), "whisper")
    assert client.finish() == ""
    assert client.status == 1
    assert client.stderr == "transform_client.py: the server hung up without an answer\n"
    server.stop()
