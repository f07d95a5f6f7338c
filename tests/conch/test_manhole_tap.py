"""The manhole as a service: who is let in, and a session of somebody with a telnet client."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reactorlib.application.service import IServiceMaker
from reactorlib.conch import manhole_tap
from reactorlib.conch.insults.insults import ServerProtocol
from reactorlib.cred.passwords import hashPassword
from reactorlib.internet import reactor
from reactorlib.plugin import getPlugins
from reactorlib.python.usage import UsageError
from reactorlib.tap import telnet as telnet_tap

from ._peers import LIMIT, Screen, needs_telnet, raw, telnet


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    from reactorlib.conch.telnet import AuthenticatingTelnetProtocol

    monkeypatch.setattr(AuthenticatingTelnetProtocol, "failureDelay", 0)


def made(module: Any, *argv: str) -> Any:
    options = module.Options()
    options.parseOptions(argv)
    return module.makeService(options)


@asynccontextmanager
async def running(service: Any) -> AsyncIterator[int]:
    """The number of the port that a service listens at."""
    for child in service:
        child.factory.noisy = False
    async with asyncio.timeout(60):
        await service.startService()
        try:
            [child] = service
            yield (child.getHost()).port
        finally:
            await service.stopService(grace=0)
            async with reactor:
                pass


async def log_in(screen: Screen, name: bytes, password: bytes, prompt: bytes) -> None:
    await screen.expect(b"Username: ")
    screen.type(name + b"\r\n")
    await screen.expect(b"Password: ")
    screen.type(password + b"\r\n")
    await screen.expect(prompt)


@needs_telnet
async def test_a_session_with_the_telnet_client(tmp_path: Path) -> None:
    """The wrong password, then a statement, await, Ctrl-C, the arrows, and Ctrl-D."""
    (tmp_path / "users").write_text("alice:wonder\n")
    service = manhole_tap.makeService(
        {
            "telnetPort": "0",
            "passwd": str(tmp_path / "users"),
            "namespace": {"asyncio": asyncio},
            "plain": True,
        }
    )
    async with running(service) as port, telnet(port) as terminal:
        await terminal.expect(b"Username: ")
        terminal.type(b"alice\n")
        await terminal.expect(b"Password: ")
        terminal.type(b"wrong\n")
        await terminal.expect(b"Authentication failed")
        await terminal.expect(b"Username: ")
        terminal.type(b"alice\n")
        await terminal.expect(b"Password: ")
        terminal.type(b"wonder\n")
        await terminal.expect(b">>> ")
        terminal.type(b"print(6 * 7)\r")
        await terminal.expect(b"42\r\n>>> ")
        terminal.type(b"1 / 0\r")
        await terminal.expect(b"ZeroDivisionError: division by zero\r\n>>> ")
        terminal.type(b"await asyncio.sleep(0, 'slept')\r")
        await terminal.expect(b"'slept'\r\n>>> ")
        terminal.type(b"print('waits'); await asyncio.Event().wait()\r")
        await terminal.expect(b"waits\r\n")
        terminal.type(b"\x03")
        await terminal.expect(b"KeyboardInterrupt\r\n>>> ")
        terminal.type(b"\x1b[A\x1b[A\r")
        await terminal.expect(b"'slept'\r\n>>> ")
        terminal.type(b"\x04")
        await terminal.wait_for_end()
    assert b"wonder" not in terminal.everything


async def test_everything_at_once() -> None:
    """As a script does it, which does not wait for anything, and negotiates nothing."""
    service = made(telnet_tap, "-p", "0", "-u", "admin", "-w", "secret", "--plain")
    async with running(service) as port, raw(port) as peer:
        peer.type(b"admin\r\nsecret\r\nprint('a' * 3)\r\n\x04")
        shown = await peer.wait_for_end()
        assert b"aaa\r\n" in shown


async def test_who_is_let_in(tmp_path: Path) -> None:
    plain, hashed = tmp_path / "plain", tmp_path / "hashed"
    plain.write_text("alice:one\nroot:x:0:0\nnobody:*:1:1\nlocked:!abc:\nempty::2:2\n")
    hashed.write_bytes(b"bob:" + hashPassword("two", cost=4) + b"\n")
    several = made(
        manhole_tap,
        *("-t", "0", "--plain", "--auth", f"file:{plain}", "--auth", f"hashed:{hashed}"),
    )
    from_file = made(manhole_tap, "-t", "0", "--plain", "--passwd", str(plain))
    for service, good, bad in [
        (several, ["alice:one", "bob:two"], ["alice:two", "carol:one"]),
        # What passwd(5) has in the place of a password is none.
        (from_file, ["alice:one"], ["root:x", "nobody:*", "locked:!abc", "empty:", "bob:two"]),
    ]:
        async with running(service) as port:
            for users, answer in (good, b">>> "), (bad, b"Authentication failed"):
                for user in users:
                    async with raw(port) as peer:
                        name, _, password = user.encode().partition(b":")
                        await log_in(peer, name, password, answer)


async def test_a_third_failure_is_the_last() -> None:
    service = made(telnet_tap, "-p", "0", "-w", "secret", "--plain")
    async with running(service) as port, raw(port) as peer:
        for _ in range(3):
            await log_in(peer, b"admin", b"wrong", b"Authentication failed\r\n")
        assert b"Username" not in await peer.wait_for_end()


async def test_stopping_ends_sessions() -> None:
    service = made(telnet_tap, "-p", "0", "-w", "secret", "--plain")
    async with running(service) as port:
        async with raw(port) as peer:
            await log_in(peer, b"admin", b"secret", b">>> ")
            async with asyncio.timeout(LIMIT):
                await service.stopService(grace=0)
            await peer.wait_for_end()
        await service.startService()


@pytest.mark.parametrize(
    ("module", "argv", "message"),
    [
        (manhole_tap, [], "At least one of --telnetPort and --sshPort must be specified"),
        (manhole_tap, ["-s", "tcp:22"], "SSH is not there yet"),
        (manhole_tap, ["-t", "nonsense:1"], "cannot listen at 'nonsense:1'"),
        (manhole_tap, ["-t", "99999"], "cannot listen at '99999'"),
        (manhole_tap, ["-t", "1", "-p", "/nonexistent"], "'/nonexistent' cannot be read"),
        (manhole_tap, ["-t", "1", "--auth", "anonymous"], "checks nothing that is used here"),
        (telnet_tap, [], "it takes a --password, or an --auth"),
        (telnet_tap, ["-w", ""], "it takes a --password, or an --auth"),
        (telnet_tap, ["-w", "x", "-p", "none"], "cannot listen at 'none'"),
    ],
)
def test_mistakes_on_the_command_line(module: Any, argv: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        made(module, *argv)


def test_a_number_is_a_port_of_this_host() -> None:
    [child] = made(manhole_tap, "-t", "4022")
    assert (child.endpoint._port, child.endpoint._interface) == (4022, "127.0.0.1")


def test_it_can_be_saved() -> None:
    service = made(telnet_tap, "-p", "4022", "-w", "secret")
    [child] = pickle.loads(pickle.dumps(service))
    assert child.factory.protocol.portal.checkers.keys()


def test_they_are_plugins() -> None:
    found = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
    assert found["manhole"].options is manhole_tap.Options
    assert found["telnet"].options is telnet_tap.Options


def test_without_prompt_toolkit_it_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    make = manhole_tap.chainedProtocolFactory({"x": 1})
    assert isinstance(make(), ServerProtocol)
