"""idle_timeout.py."""

from __future__ import annotations

import time
from collections.abc import Callable

from ._program import Address, Peer, Program

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]


def test_who_says_nothing_is_hung_up_on(start: Start, dial: Dial, way: str) -> None:
    program = start("idle_timeout.py", "--port", 0, "--loop", way, "--seconds", 0.2)
    address = program.read_address()
    began = time.monotonic()
    peer = dial(address)
    assert peer.read_all() == b"nothing for 0.2 s: goodbye\r\n"
    # A loop may be early by its clock's resolution.
    assert time.monotonic() - began > 0.18
    program.stop()


def test_each_byte_starts_the_clock_again(start: Start, dial: Dial, way: str) -> None:
    """Somebody who keeps talking stays for longer than the limit, and is dropped after."""
    program = start("idle_timeout.py", "--port", 0, "--loop", way, "--seconds", 0.5)
    peer = dial(program.read_address())
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < 0.8:
        peer.send(b"x")
        count += 1
        assert peer.read_line() == b"%d bytes so far" % count
    last = time.monotonic()
    assert peer.read_all() == b"nothing for 0.5 s: goodbye\r\n"
    assert time.monotonic() - last > 0.4
    program.stop()


def test_who_leaves_disturbs_nobody(start: Start, dial: Dial, way: str) -> None:
    """Not when their time would have been up, either."""
    program = start("idle_timeout.py", "--port", 0, "--loop", way, "--seconds", 0.2)
    address = program.read_address()
    dial(address).reset()
    dial(address).close()
    dial(address).read_all()  # by then theirs would have been up
    program.stop()
