"""The Python prompt, on a terminal in memory."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, cast

import pytest

from reactorlib.conch.insults.insults import ServerProtocol
from reactorlib.conch.manhole import (
    CTRL_BACKSLASH,
    CTRL_C,
    CTRL_D,
    CTRL_L,
    ColoredManhole,
    FileWrapper,
    Manhole,
    lastColorizedLine,
)
from reactorlib.internet.defer import Deferred
from reactorlib.internet.error import ConnectionDone
from reactorlib.internet.testing import StringTransport
from reactorlib.python.failure import Failure


class Wire(StringTransport):
    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, data: bytes) -> None:
        super().write(data)
        self.written.set()


class Session:
    """Somebody at the prompt."""

    def __init__(self, namespace: dict[str, Any] | None = None, kind: Any = Manhole) -> None:
        self.server = ServerProtocol(kind, namespace)
        self.wire = Wire()
        self.server.makeConnection(self.wire)
        self.manhole: Manhole = self.server.terminalProtocol
        assert self.shown() == b"\x1bc>>> \x1b[4h"

    def shown(self) -> bytes:
        data = self.wire.value()
        self.wire.clear()
        return data

    def type(self, keys: bytes) -> str:
        """Type, and see what is shown, without what was typed; newlines as LF."""
        self.server.dataReceived(keys)
        return self.shown().decode().replace("\r\n", "\n")

    def enter(self, line: str) -> str:
        """Enter a line, and see what is shown."""
        shown = self.type(line.encode() + b"\r")
        typed = line.replace("\t", "    ") + "\n"
        assert shown.startswith(typed), shown
        return shown[len(typed) :]

    @property
    def names(self) -> dict[str, Any]:
        names: Any = self.manhole.interpreter.locals
        return cast(dict[str, Any], names)

    def hang_up(self) -> None:
        self.server.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("1 + 1", "2\n"),
        ("None", ""),
        ("", ""),
        ("x = 1", ""),
        ("print(1, 2)", "1 2\n"),
        ("print(1, end='')", "1\n"),
        ("import sys; print(2, file=sys.stderr)", "2\n"),
        ("'\u00e9'"[:1] + "\\u00e9'", "'\u00e9'\n"),
        ("for i in 1, 2: i\r", "1\n2\n"),
    ],
)
def test_a_statement(line: str, shown: str) -> None:
    session = Session()
    got = session.type(line.encode() + b"\r")
    assert got.rpartition(">>> ")[0].endswith(shown)
    assert got.endswith(">>> ")


def test_a_statement_of_several_lines() -> None:
    session = Session()
    assert session.enter("def f(x):") == "... "
    assert session.enter("\treturn x * 2") == "... "
    assert session.enter("") == ">>> "
    assert session.enter("f(21)") == "42\n>>> "
    assert session.enter("_ + 1") == "43\n>>> "
    assert session.type(b"(\r") == "(\n... "
    assert session.type(b"1" + CTRL_C) == "1\nKeyboardInterrupt\n>>> "
    assert session.enter("1") == "1\n>>> "


def test_an_exception() -> None:
    session = Session()
    session.type(b"def f(): 1 / 0\r\r")
    shown = session.enter("f()")
    expected = (
        "Traceback (most recent call last):\n"
        '  File "<console>", line 1, in <module>\n'
        '  File "<console>", line 1, in f\n'
        "ZeroDivisionError: division by zero\n>>> "
    )
    assert shown == expected
    assert session.enter("await_ =").endswith("SyntaxError: invalid syntax\n>>> ")
    assert session.enter("raise KeyboardInterrupt").endswith("\nKeyboardInterrupt\n>>> ")


def test_nothing_of_the_process_is_changed() -> None:
    before = sys.stdin, sys.stdout, sys.stderr, sys.displayhook
    session = Session()
    assert session.enter("input()").endswith("EOFError: EOF when reading a line\n>>> ")
    assert session.enter("1 / 0").endswith("ZeroDivisionError: division by zero\n>>> ")
    assert (sys.stdin, sys.stdout, sys.stderr, sys.displayhook) == before


def test_each_session_has_a_copy_of_the_names() -> None:
    shared: list[int] = []
    namespace: dict[str, Any] = {"shared": shared}
    one, two = Session(namespace), Session(namespace)
    one.enter("x = shared.append(1)")
    assert two.enter("x").endswith("NameError: name 'x' is not defined\n>>> ")
    assert two.enter("shared") == "[1]\n>>> "
    assert list(namespace) == ["shared"]


@pytest.mark.parametrize("line", ["exit()", "raise SystemExit", "await leave()"])
def test_leaving_by_statement_ends_the_session_and_not_the_program(line: str) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    session = Session({"leave": leave})
    session.type(line.encode() + b"\rprint(1)\r")
    assert session.wire.disconnecting
    assert not sys.stdin.closed


def test_leaving_by_key() -> None:
    session = Session()
    assert session.type(b"x" + CTRL_D) == "x\a"
    assert not session.wire.disconnecting
    session.type(b"\x7f" + CTRL_D)
    assert session.wire.disconnecting
    session = Session()
    session.type(b"x" + CTRL_BACKSLASH)
    assert session.wire.disconnecting


def test_clearing_the_screen() -> None:
    session = Session()
    assert session.type(b"ab" + CTRL_L) == "ab\x1b[2J\x1b[H>>> ab"


# -- Deferreds -----------------------------------------------------------------


def test_a_deferred_is_shown_when_it_fires() -> None:
    d: Deferred[Any] = Deferred()
    session = Session({"d": d})
    assert session.enter("d") == "<Deferred #0>\n>>> "
    assert session.enter("d") == "<Deferred #0>\n>>> "
    session.type(b"half")
    d.callback("hi")
    # The line that is being edited is below what came in between.
    assert session.type(b"!") == "\x1b[2K\x1b[8DDeferred #0 called back: 'hi'\n>>> half!"
    assert d.result == "hi"


def test_a_deferred_that_fails() -> None:
    d: Deferred[Any] = Deferred()
    session = Session({"d": d})
    session.enter("d")
    d.errback(ValueError("no"))
    assert "Deferred #0 failed: 'no'" in session.type(b"")
    d.addErrback(lambda _: None)


def test_a_deferred_that_has_fired() -> None:
    d: Deferred[Any] = Deferred()
    d.callback(1)
    session = Session({"d": d})
    assert re.match(r"<Deferred at 0x\w+ current result: 1>", session.enter("d"))


def test_a_deferred_that_fires_after_the_session() -> None:
    d: Deferred[Any] = Deferred()
    session = Session({"d": d})
    session.enter("d")
    session.hang_up()
    session.shown()
    d.callback(1)
    assert session.shown() == b""


# -- await ---------------------------------------------------------------------


def test_awaiting_a_deferred_needs_no_loop() -> None:
    d: Deferred[int] = Deferred()
    session = Session({"d": d})
    assert session.enter("x = await d") == ""
    d.callback(20)
    assert session.shown() == b">>> "
    assert session.enter("x") == "20\n>>> "
    assert session.enter("print('now'); await d") == "now\n20\n>>> "
    assert session.enter("[await d for _ in range(2)]") == "[20, 20]\n>>> "


def test_what_awaits_prints_in_its_session_only() -> None:
    first: Deferred[int] = Deferred()
    second: Deferred[int] = Deferred()
    one, two = Session({"d": first}), Session({"d": second})
    one.enter("print('one', await d)")
    two.enter("print('two', await d)")
    second.callback(2)
    assert two.shown() == b"two 2\r\n>>> "
    assert one.shown() == b""
    first.callback(1)
    assert one.shown() == b"one 1\r\n>>> "


def test_an_exception_out_of_await() -> None:
    d: Deferred[int] = Deferred()
    session = Session({"d": d})
    session.enter("await d")
    d.errback(ValueError("no"))
    shown = session.shown().decode()
    assert shown.startswith('Traceback (most recent call last):\r\n  File "<console>", line 1, in')
    assert shown.endswith("ValueError: no\r\n>>> ")


def test_control_c_cancels_what_is_awaited() -> None:
    cancelled: list[Any] = []
    d: Deferred[int] = Deferred(cancelled.append)
    session = Session({"d": d})
    session.enter("await d")
    assert session.type(b"1 + 1\r" + CTRL_C) == "KeyboardInterrupt\n>>> "
    assert cancelled == [d]
    # What was typed ahead is forgotten as well.
    assert session.type(b"2\r") == "2\n2\n>>> "


def test_a_statement_may_see_that_it_is_cancelled() -> None:
    d: Deferred[int] = Deferred()
    session = Session({"d": d})
    session.type(b"try: await d\rfinally: print('cleaned')\r\r")
    assert session.type(CTRL_C) == "cleaned\nKeyboardInterrupt\n>>> "


def test_what_is_cancelled_by_others_is_an_exception() -> None:
    d: Deferred[int] = Deferred()
    session = Session({"d": d})
    session.enter("await d")
    d.cancel()
    assert session.shown().endswith(b"CancelledError\r\n>>> ")


def test_what_is_typed_while_something_is_awaited_comes_after_it() -> None:
    d: Deferred[int] = Deferred()
    e: Deferred[int] = Deferred()
    session = Session({"d": d, "e": e})
    session.enter("await d")
    assert session.type(b"x = 2\rx + await e\rx * 2\r") == ""
    session.manhole.terminalSize(100, 30)
    d.callback(1)
    assert session.shown() == b"1\r\n>>> x = 2\r\n>>> x + await e\r\n"
    e.callback(1)
    assert session.shown() == b"3\r\n>>> x * 2\r\n4\r\n>>> "


def test_what_is_typed_ahead_has_a_limit() -> None:
    session = Session({"d": Deferred()})
    session.enter("await d")
    session.manhole._MAX_AHEAD = 10
    assert session.type(b"x" * 12) == "\a\a"
    assert session.type(CTRL_C) == "KeyboardInterrupt\n>>> "


def test_hanging_up_cancels_what_is_awaited() -> None:
    cancelled: list[Any] = []
    d: Deferred[int] = Deferred(cancelled.append)
    session = Session({"d": d})
    session.enter("await d")
    session.hang_up()
    assert cancelled == [d]
    assert session.shown() == b""


def test_a_statement_that_ends_its_own_session_is_cancelled() -> None:
    cancelled: list[Any] = []
    d: Deferred[int] = Deferred(cancelled.append)
    session = Session({"d": d})
    session.names["hang_up"] = session.hang_up
    session.type(b"hang_up(); await d\r")
    assert cancelled == [d]


def test_leaving_while_something_is_awaited() -> None:
    session = Session({"d": Deferred()})
    session.enter("await d")
    session.type(CTRL_D)
    assert not session.wire.disconnecting
    session.type(CTRL_BACKSLASH)
    assert session.wire.disconnecting


async def test_asyncio_is_there_to_be_awaited() -> None:
    session = Session({"asyncio": asyncio})
    session.enter("await asyncio.sleep(0, 'slept')")
    await until(session, b"'slept'\r\n>>> ")
    session.type(
        b"async def f():\r\tasync with asyncio.TaskGroup() as group:\r"
        b"\t\ttask = group.create_task(asyncio.sleep(0, 7))\r\treturn task.result()\r\r"
    )
    session.enter("await f()")
    await until(session, b"7\r\n>>> ")
    session.enter("await asyncio.wait_for(asyncio.Event().wait(), 0.01)")
    await until(session, b"TimeoutError\r\n>>> ")
    session.enter("await asyncio.Event().wait()")
    session.server.dataReceived(CTRL_C)
    await until(session, b"KeyboardInterrupt\r\n>>> ")
    session.type(b"async with asyncio.timeout(60): asyncio.current_task() in asyncio.all_tasks()\r")
    assert session.type(b"\r") == "\nTrue\n>>> "


async def until(session: Session, end: bytes) -> None:
    async with asyncio.timeout(20):
        while not session.wire.value().endswith(end):
            session.wire.written.clear()
            await session.wire.written.wait()
    session.shown()


# -- colours -------------------------------------------------------------------

COLORS = re.compile(rb"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    "source",
    [
        *("1", '"1"', "'''1'''", "def foo(a): return 'x' + 1 # c", "class foo:", "\u0438 = 1"),
        *("'''a\nb", "f'{x} y' + z", "(1,", "x = 'unfinished", "  odd\n indent", "", "a\n"),
        *("'''a\nb''' + 1", "\x00", "\u00e9\u00e9\u00e9 'a' \u00e9", "if x:\n    return '''",),
    ],
)  # fmt: skip
def test_colours_change_no_text(source: str) -> None:
    colored = lastColorizedLine(source)
    assert COLORS.sub(b"", colored).decode() == source.rpartition("\n")[2]
    assert lastColorizedLine(source.encode()) == colored


def test_what_is_coloured() -> None:
    words = [b"def", b"f", b"(", b"'x'", b"1"]
    colored = lastColorizedLine("def f(a='x', b=1): a")
    for word in words:
        assert re.search(rb"\x1b\[[0-9;]+m" + re.escape(word) + rb"\x1b\[0m", colored)
    assert colored.endswith(b" a")
    assert lastColorizedLine("'''a\nb") == b"\x1b[32mb\x1b[0m"


def test_a_line_in_colours_is_the_line() -> None:
    session = Session(kind=ColoredManhole)
    session.type(b"x = 'a'")
    shown = session.type(b"\x1b[D\x1b[D\x1b[Db")
    assert COLORS.sub(b"", shown.encode()).endswith(b">>> x = b'a'\x1b[3D")
    assert session.type(b"\r").endswith(">>> ")
    assert session.names["x"] == b"a"
    shown = session.type(b"\x1b[A")
    assert COLORS.sub(b"", shown.encode()).endswith(b">>> x = b'a'")
    session.type(b"\r")
    assert session.type(b"a ").endswith("a ")
    session.type(b"\x7f\x7f")
    assert session.type(b"\t").endswith(">>>     ")
    session.manhole._MAX_COLORED = 10  # type: ignore[attr-defined]
    assert session.type(b"'" + b"x" * 40).endswith("x" * 40)


def test_a_line_longer_than_the_screen_is_not_drawn_anew() -> None:
    session = Session(kind=ColoredManhole)
    session.type(b"x" * 70)
    assert session.type(b"1" * 20).endswith("1" * 15)
    assert session.type(b" + 1") == " + 1"
    session.type(CTRL_C)
    assert "\x1b[2K" in session.type(b"1")


def test_a_file_that_is_a_session() -> None:
    got: list[str] = []

    class Handler:
        def addOutput(self, data: str) -> None:
            got.append(data)

    file = FileWrapper(Handler())
    print("a", 1, file=file, flush=True)
    file.writelines(["b", "c"])
    assert "".join(got) == "a 1\nbc"
    assert not file.isatty()
    assert file.writable()
