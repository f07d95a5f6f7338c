"""port_forwarder.py."""

from __future__ import annotations

from collections.abc import Callable

from ._program import Address, Peer, Program, Server, at

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]


def test_a_connection_is_passed_on(start: Start, dial: Dial, server: Server, way: str) -> None:
    program = start("port_forwarder.py", "--port", 0, "--loop", way, at(server.address))
    near = dial(program.read_address())
    far = server.accept()
    near.send(b"hello\n")
    assert far.read_line() == b"hello"
    far.send(b"good bye")
    far.close()
    assert near.read_all() == b"good bye"
    program.stop()


def test_a_host_has_a_few_connections_only(start: Start, dial: Dial, server: Server) -> None:
    program = start("port_forwarder.py", "--port", 0, "--connections", 1, at(server.address))
    address = program.read_address()
    near = dial(address)
    far = server.accept()
    assert dial(address).read_all() == b""
    near.send(b"x\n")
    assert far.read_line() == b"x"
    far.close()
    program.stop()


def test_silence_closes_it(start: Start, dial: Dial, server: Server) -> None:
    program = start("port_forwarder.py", "--port", 0, "--seconds", 0.05, at(server.address))
    near = dial(program.read_address())
    far = server.accept()
    assert near.read_all() == far.read_all() == b""
    far.close()
    program.stop()
