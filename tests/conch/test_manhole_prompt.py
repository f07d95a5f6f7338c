"""The prompt with prompt_toolkit, for somebody with a telnet client, or a socket."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from reactorlib.conch import manhole_tap
from reactorlib.conch.telnet import (
    IAC,
    NAWS,
    SB,
    SE,
    WILL,
    TelnetBootstrapProtocol,
    TelnetTransport,
)
from reactorlib.internet.defer import Deferred
from reactorlib.internet.protocol import Factory

from ._peers import Screen, Terminal, needs_telnet, raw, serving, telnet

pytest.importorskip("prompt_toolkit")

#: What moves the cursor and changes colours.
CONTROL = re.compile(
    rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>78]|\xff[\xfb-\xfe].|\r|\0|\xff\xfa.*?\xff\xf0"
)

LIMIT = 20.0
LEAVE = b"\x04"


class Sessions:
    """A server of prompts without a login, and the protocols it has made."""

    def __init__(self, **namespace: Any) -> None:
        self.make = manhole_tap.chainedProtocolFactory(namespace)
        self.made: list[Any] = []
        self.factory = Factory.forProtocol(lambda: TelnetTransport(self.bootstrap))

    def bootstrap(self) -> Any:
        made = TelnetBootstrapProtocol(self.make)
        self.made.append(made)
        return made


class Person:
    """Somebody who reads what is shown without what moves the cursor."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def type(self, keys: str) -> None:
        # RFC 854, page 11: the key is CR NUL. A telnet client sees to that by itself.
        over_socket = not isinstance(self.screen, Terminal)
        self.screen.type(keys.replace("\r", "\r\0" if over_socket else "\r").encode())

    async def sees(self, *what: str) -> None:
        """Wait until all that is shown, one after the other."""
        try:
            async with asyncio.timeout(LIMIT):
                for text in what:
                    while (at := self.shown().find(text)) < 0:
                        assert not self.screen.ended.done(), self.shown()
                        await self.screen.wait_for_more()
                    self.screen.shown = self.shown()[at + len(text) :].encode()
        except TimeoutError:
            raise AssertionError(f"no {text!r} in {self.shown()!r}") from None

    def shown(self) -> str:
        return CONTROL.sub(b"", self.screen.shown).decode("utf-8", "replace")


@pytest.fixture
async def person() -> AsyncIterator[Person]:
    async with serving(Sessions(asyncio=asyncio).factory) as port, raw(port) as peer:
        somebody = Person(peer)
        await somebody.sees(">>>")
        yield somebody


async def test_a_statement(person: Person) -> None:
    person.type("print(6 * 7)\r")
    await person.sees("\n42\n", ">>>")
    person.type("1 / 0\r")
    await person.sees("Traceback", "ZeroDivisionError: division by zero\n", ">>>")
    person.type("print('no newline', end='')\r")
    await person.sees("\nno newline\n", ">>>")
    person.type("'caf\u00e9'\r")
    await person.sees("\n'caf\u00e9'\n", ">>>")
    person.type("= 1\r")
    await person.sees("SyntaxError: invalid syntax", ">>>")


async def test_a_statement_of_several_lines(person: Person) -> None:
    person.type("def f(x):\r")
    await person.sees("...")
    person.type("return x * 2\r")
    await person.sees("...")
    person.type("\r")
    await person.sees(">>>")
    person.type("f(\r")
    await person.sees("...")
    person.type("21)\r")
    await person.sees("\n42\n", ">>>")


async def test_await_and_control_c(person: Person) -> None:
    person.type("await asyncio.sleep(0, 'slept')\r")
    await person.sees("\n'slept'\n", ">>>")
    person.type("print('wai' + 'ting'); await asyncio.Event().wait()\r")
    await person.sees("waiting\n")
    person.type("typed ahead\x03")
    await person.sees("KeyboardInterrupt\n", ">>>")
    person.type("half a line\x03")
    await person.sees("KeyboardInterrupt\n", ">>>")
    person.type("40 + 2\r")
    await person.sees("\n42\n", ">>>")


async def test_what_is_typed_ahead_comes_next(person: Person) -> None:
    person.type("e = asyncio.Event()\r")
    await person.sees(">>>")
    person.type("asyncio.get_running_loop().call_later(0.05, e.set); await e.wait()\r6 * 7\r")
    await person.sees("True\n", "\n42\n", ">>>")


async def test_history_and_completion(person: Person) -> None:
    person.type("something_long = 42\r")
    await person.sees(">>>")
    person.type("someth\t\r")
    await person.sees("\n42\n", ">>>")
    person.type("\x1b[A\x1b[A\r")
    await person.sees(">>>")
    person.type("asyncio.CancelledEr\t is asyncio.CancelledError\r")
    await person.sees("\nTrue\n", ">>>")
    person.type("if 1:\r\r")
    person.type("\x03")
    await person.sees("KeyboardInterrupt", ">>>")


@pytest.mark.parametrize("keys", [LEAVE.decode(), "\x1c", "exit()\r"])
async def test_leaving(keys: str) -> None:
    sessions = Sessions()
    async with serving(sessions.factory) as port, raw(port) as peer:
        person = Person(peer)
        await person.sees(">>>")
        person.type(keys)
        await peer.wait_for_end()


async def test_what_comes_in_between_is_above_the_prompt() -> None:
    d: Deferred[Any] = Deferred()
    async with serving(Sessions(d=d).factory) as port, raw(port) as peer:
        person = Person(peer)
        await person.sees(">>>")
        person.type("d\r")
        await person.sees("<Deferred #0>\n", ">>>")
        person.type("6 * ")
        await person.sees("6 *")
        d.callback("hi")
        await person.sees("Deferred #0 called back: 'hi'\n", ">>> 6 *")
        person.type("7\r")
        await person.sees("\n42\n", ">>>")


async def test_sessions_do_not_mix_and_leave_nothing_behind() -> None:
    """Nor does anybody handle SIGWINCH, which is about the terminal of the process."""
    before = signal.getsignal(signal.SIGWINCH)
    first: Deferred[Any] = Deferred()
    sessions = Sessions(d=first)
    async with serving(sessions.factory) as port, raw(port) as one, raw(port) as two:
        alice, bob = Person(one), Person(two)
        await alice.sees(">>>")
        await bob.sees(">>>")
        assert signal.getsignal(signal.SIGWINCH) is before
        alice.type("x = 1; print('ali' + 'ce', await d)\r")
        bob.type("print('b' + 'ob'); x\r")
        await bob.sees("bob\n", "NameError: name 'x' is not defined", ">>>")
        first.callback(7)
        await alice.sees("alice 7\n", ">>>")
        alice.type(LEAVE.decode())
        await one.wait_for_end()
        assert signal.getsignal(signal.SIGWINCH) is before
        bob.type("6 * 7\r")
        await bob.sees("\n42\n", ">>>")
        assert "alice" not in bob.screen.everything.decode("latin-1")
    assert signal.getsignal(signal.SIGWINCH) is before


async def test_hanging_up_cancels_what_is_awaited() -> None:
    cancelled = asyncio.Event()
    d: Deferred[Any] = Deferred(lambda _: cancelled.set())
    async with serving(Sessions(d=d).factory) as port, raw(port) as peer:
        person = Person(peer)
        await person.sees(">>>")
        person.type("print('wai' + 'ting'); await d\r")
        await person.sees("waiting\n")
        peer.hang_up()
        async with asyncio.timeout(LIMIT):
            await cancelled.wait()


async def test_the_size_of_the_window() -> None:
    sessions = Sessions()
    async with serving(sessions.factory) as port, raw(port) as peer:
        person = Person(peer)
        await person.sees(">>>")
        peer.type(IAC + WILL + NAWS + IAC + SB + NAWS + b"\0\x14\0\x0a" + IAC + SE)
        # Twenty columns: a long line goes on in the next, and is drawn there.
        person.type("'" + "x" * 30 + "'\r")
        await person.sees("'" + "x" * 30 + "'\n", ">>>")
        [made] = sessions.made
        assert made.protocol._size == (10, 20)


async def test_a_flood_of_keys_waits_within_limits() -> None:
    """While something is awaited nobody reads keys; what cannot be kept is dropped."""
    sessions = Sessions(d=Deferred())
    async with serving(sessions.factory) as port, raw(port) as peer:
        person = Person(peer)
        await person.sees(">>>")
        person.type("print('wai' + 'ting'); await d\r")
        await person.sees("waiting\n")
        person.type("x" * 200_000)
        person.type("\x03")
        await person.sees("KeyboardInterrupt\n", ">>>")
        person.type("6 * 7\r")
        await person.sees("\n42\n", ">>>")


async def test_a_paste_does_not_stop_the_program(person: Person) -> None:
    """A terminal that does not say that it is one; the loop turns while it is looked at."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.ensure_future(turn())
    person.type("x = '" + "y" * 2000 + "'\r")
    await person.sees(">>>", "yyyyyyyyyy")
    person.type("len(x) == 2000\r")
    await person.sees("\nTrue\n", ">>>")
    assert turns > 2000 / 256
    task.cancel()


@needs_telnet
async def test_with_the_telnet_client() -> None:
    async with serving(Sessions(asyncio=asyncio).factory) as port, telnet(port) as terminal:
        person = Person(terminal)
        await person.sees(">>>")
        person.type("import sys\r")
        await person.sees(">>>")
        person.type("print('a' 'b')\r")
        await person.sees("\nab\n", ">>>")
        person.type("print('wai' + 'ting'); await asyncio.Event().wait()\r")
        await person.sees("waiting\n")
        person.type("\x03")
        await person.sees("KeyboardInterrupt\n", ">>>")
        person.type(LEAVE.decode())
        await terminal.wait_for_end()
