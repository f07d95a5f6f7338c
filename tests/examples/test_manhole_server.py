"""manhole_server.py."""

from __future__ import annotations

from collections.abc import Callable

from ._program import Address, Peer, Program

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]


def test_the_prompt_reaches_into_the_program(start: Start, dial: Dial, way: str) -> None:
    program = start(
        *("manhole_server.py", "--port", 0, "--loop", way),
        *("--password", "secret", "--interval", 0.01),
    )
    peer = dial(program.read_address())
    peer.send(b"admin\r\nsecret\r\n")
    peer.send(b"found = await counter.reaches(5)\r\nprint('at', 'least', found >= 5)\r\n")
    peer.send(b"counter.step = 100; print('now', await counter.reaches(500) >= 500)\r\n\x1c")
    shown = peer.read_all()
    assert b"at least True\r\n" in shown
    program.stop()


def test_who_does_not_know_the_password_is_not_let_in(start: Start, dial: Dial) -> None:
    program = start("manhole_server.py", "--port", 0, "--password", "secret")
    peer = dial(program.read_address())
    peer.send(b"admin\r\nwrong\r\n")
    assert peer.read(10) == b"Username: "
    while b"Authentication failed" not in (line := peer.read_line()):
        assert line != b"" or peer.read(1)
    program.stop()
