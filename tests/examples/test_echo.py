"""echo_server.py and echo_client.py."""

from __future__ import annotations

from collections.abc import Callable

from ._program import Address, Peer, Program, Server, at

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]


def test_the_server_sends_back_what_it_gets(start: Start, dial: Dial, way: str) -> None:
    program = start("echo_server.py", "--port", 0, "--loop", way)
    address = program.read_address()
    one, other = dial(address), dial(address)
    one.send(b"Hello, ")
    other.send(b"\x00\xff no text at all")
    assert other.read(17) == b"\x00\xff no text at all"
    one.send(b"world!\n")
    assert one.read_line() == b"Hello, world!"
    program.stop()


def test_the_server_sends_a_large_piece_back_whole(start: Start, dial: Dial, way: str) -> None:
    program = start("echo_server.py", "--port", 0, "--loop", way)
    peer = dial(program.read_address())
    sent = bytes(range(256)) * 200
    for _ in range(5):
        peer.send(sent)
        assert peer.read(len(sent)) == sent
    program.stop()


def test_the_client_says_its_lines_and_prints_the_answers(
    start: Start, server: Server, way: str
) -> None:
    client = start("echo_client.py", "--loop", way, at(server.address), "one", "two words")
    peer = server.accept()
    assert [peer.read_line(), peer.read_line()] == [b"one", b"two words"]
    peer.send(b"eno\r\nsdr")
    peer.send(b"ow owt\r\n")
    assert client.finish() == "The server said: eno\nThe server said: sdrow owt\n"
    assert (client.status, client.stderr) == (0, "")
    assert peer.read_all() == b""
    peer.close()


def test_the_client_says_when_the_server_hangs_up_early(
    start: Start, server: Server, way: str
) -> None:
    client = start("echo_client.py", "--loop", way, at(server.address), "one", "two")
    peer = server.accept()
    peer.read_line(), peer.read_line()
    peer.send(b"one\r\n")
    peer.close()
    assert client.finish() == "The server said: one\n"
    assert (client.status, client.stderr) == (1, "echo_client.py: 1 lines did not come back\n")


def test_client_and_server_together(start: Start, way: str) -> None:
    server = start("echo_server.py", "--port", 0, "--loop", way)
    client = start("echo_client.py", "--loop", way, at(server.read_address()))
    assert client.finish() == "The server said: Hello, world!\n"
    assert (client.status, client.stderr) == (0, "")
    server.stop()
