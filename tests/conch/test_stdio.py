"""A terminal protocol on the terminal of a process."""

from __future__ import annotations

import signal
import sys
from typing import Any

import pytest

from reactorlib.conch import stdio
from reactorlib.conch.stdio import TerminalProcessProtocol, UnexpectedOutputError
from reactorlib.internet import reactor
from reactorlib.internet.error import ProcessDone, ProcessTerminated
from reactorlib.internet.protocol import Protocol

from ._peers import Screen, Terminal


async def test_a_prompt_on_the_programs_own_terminal() -> None:
    """It is as before afterwards: what is typed is shown again, and a newline is a line's end."""
    script = '"$0" -m reactorlib.conch.stdio; echo "status $?"; stty -a'
    terminal = Terminal("/bin/sh", "-c", script, sys.executable)
    try:
        await terminal.expect(b">>> ")
        terminal.type(b"6 * 7\r")
        await terminal.expect(b"42\r\n>>> ")
        terminal.type(b"import asyncio\r")
        await terminal.expect(b">>> ")
        terminal.type(b"await asyncio.sleep(0, 'slept')\r")
        await terminal.expect(b"'slept'\r\n>>> ")
        terminal.type(b"await asyncio.Event().wait()\r")
        terminal.type(b"\x03")
        await terminal.expect(b"KeyboardInterrupt\r\n>>> ")
        terminal.type(b"\x04")
        await terminal.expect(b"status 0\r\n")
        shown = await terminal.wait_for_end()
        assert b" icanon" in shown
        assert b" echo " in shown
    finally:
        await terminal.close()


class Seen(Screen, Protocol):
    """What is at the other end of a process."""

    reason: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.show(data)

    def connectionLost(self, reason: Any) -> None:  # type: ignore[override]
        self.reason = reason
        self.end()


async def run(script: str) -> tuple[TerminalProcessProtocol, Seen]:
    seen = Seen()
    process = TerminalProcessProtocol(seen)
    reactor.spawnProcess(process, "/bin/sh", ["sh", "-c", script], env=None)
    await process.onConnection
    return process, seen


async def test_a_process_as_a_connection() -> None:
    async with reactor:
        process, seen = await run("read line; echo $line $line")
        seen.transport.write(b"again\n")
        await seen.expect(b"again again\n")
        await seen.wait_for_end()
        assert seen.reason.check(ProcessDone)
        process, seen = await run("read line")
        process.transport.signalProcess(signal.SIGKILL)
        await seen.wait_for_end()
        assert seen.reason.check(ProcessTerminated)


async def test_a_process_that_complains_is_lost() -> None:
    async with reactor:
        _, seen = await run("echo no >&2; read line")
        await seen.wait_for_end()
        assert seen.reason.check(UnexpectedOutputError)
        assert seen.reason.value.args == (b"no\n",)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("no-such-class", ValueError),
        ("no.such.module", ImportError),
        ("reactorlib.conch.stdio.Nobody", AttributeError),
    ],
)
def test_a_name_that_is_none(name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        stdio.main([name])
