"""chat.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ._program import Address, Peer, Program

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]

WHAT_NAME = b"What is your name?"


def enter(peer: Peer, name: str) -> bytes:
    """Join the chat; the greeting."""
    assert peer.read_line() == WHAT_NAME
    peer.send(name.encode() + b"\n")
    return peer.read_line()


def test_what_one_says_all_hear(start: Start, dial: Dial, way: str) -> None:
    program = start("chat.py", "--port", 0, "--loop", way)
    address = program.read_address()
    ann, bob, eve = dial(address), dial(address), dial(address)
    assert enter(ann, "Ann") == b"Welcome, Ann! Here now: nobody else."
    assert enter(bob, "Bob") == b"Welcome, Bob! Here now: Ann."
    assert ann.read_line() == b"* Bob joined"
    assert enter(eve, "Eve") == b"Welcome, Eve! Here now: Ann, Bob."
    for peer in (ann, bob):
        assert peer.read_line() == b"* Eve joined"
    ann.send("Grüß Gott\r\n".encode())  # as telnet ends a line
    bob.send(b"Hi")
    for peer in (ann, bob, eve):
        assert peer.read_line().decode() == "<Ann> Grüß Gott"
    bob.send(b" there\n")
    for peer in (ann, bob, eve):
        assert peer.read_line() == b"<Bob> Hi there"
    bob.close()
    for peer in (ann, eve):
        assert peer.read_line() == b"* Bob left"
    program.stop()
    assert ann.read_all() == eve.read_all() == b""


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        (b"", b"A name is 1 to 20 letters and digits."),
        (b"Ann <x>", b"A name is 1 to 20 letters and digits."),
        (b"\xff\xfe", b"A name is 1 to 20 letters and digits."),
        (b"x" * 21, b"A name is 1 to 20 letters and digits."),
        (b"Ann", b"Ann is here already."),
    ],
)
def test_a_name_that_will_not_do_is_asked_for_again(
    start: Start, dial: Dial, name: bytes, answer: bytes
) -> None:
    program = start("chat.py", "--port", 0)
    address = program.read_address()
    ann, other = dial(address), dial(address)
    enter(ann, "Ann")
    assert other.read_line() == WHAT_NAME
    other.send(name + b"\n")
    assert other.read_line() == answer + b" " + WHAT_NAME
    other.send(b"Bob\n")
    assert other.read_line() == b"Welcome, Bob! Here now: Ann."
    program.stop()


@pytest.mark.parametrize("line", [b"x" * 1001 + b"\n", b"y" * 5000])
def test_too_long_a_line_costs_its_sender_the_connection_and_nobody_else(
    start: Start, dial: Dial, line: bytes, way: str
) -> None:
    program = start("chat.py", "--port", 0, "--loop", way)
    address = program.read_address()
    ann, bob = dial(address), dial(address)
    enter(ann, "Ann")
    enter(bob, "Bob")
    assert ann.read_line() == b"* Bob joined"
    bob.send(line)
    assert bob.read_all() == b""
    assert ann.read_line() == b"* Bob left"
    ann.send(b"x" * 1000 + b"\n")  # as long as a line may be
    assert ann.read_line() == b"<Ann> " + b"x" * 1000
    program.stop()


def test_what_a_terminal_would_obey_is_not_passed_on(start: Start, dial: Dial) -> None:
    program = start("chat.py", "--port", 0)
    address = program.read_address()
    ann = dial(address)
    enter(ann, "Ann")
    ann.send(b"\x1b[2J\x07red\x00\n\x1b\n \n\xff\n")
    assert ann.read_line() == b"<Ann> [2Jred"
    assert ann.read_line().decode() == "<Ann> \N{REPLACEMENT CHARACTER}"
    program.stop()


def test_a_broken_connection_is_somebody_who_leaves(start: Start, dial: Dial, way: str) -> None:
    program = start("chat.py", "--port", 0, "--loop", way)
    address = program.read_address()
    ann, bob = dial(address), dial(address)
    enter(ann, "Ann")
    enter(bob, "Bob")
    assert ann.read_line() == b"* Bob joined"
    bob.reset()
    assert ann.read_line() == b"* Bob left"
    program.stop()
