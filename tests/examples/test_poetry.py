"""slow_poetry.py, the three clients that fetch poems, and poetry_proxy.py."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ._program import EXAMPLES, Address, Peer, Program, Server, at, netcat

Start = Callable[..., Program]
Dial = Callable[[Address], Peer]

HOPE = (EXAMPLES / "poems" / "hope.txt").read_bytes()
ROSE = (EXAMPLES / "poems" / "rose.txt").read_bytes()

#: More than a connection holds, so whoever has sent it knows that the other side reads.
LONG = b"So much depends upon\n" * 1_000_000

STYLES = ["factory", "deferred", "async"]


# -- the server ---------------------------------------------------------------


def test_a_poem_comes_whole(start: Start, way: str) -> None:
    program = start("slow_poetry.py", "--port", 0, "--loop", way, "--bytes", 100, "--delay", 0)
    assert netcat(program.read_address()) == HOPE
    program.stop()


def test_a_poem_comes_slowly(start: Start, dial: Dial, way: str) -> None:
    """Each piece after a pause, and several listeners at a time."""
    options = ["--bytes", 50, "--delay", 0.05, "--poem", EXAMPLES / "poems" / "rose.txt"]
    program = start("slow_poetry.py", "--port", 0, "--loop", way, *options)
    address = program.read_address()
    began = time.monotonic()
    first, second = dial(address), dial(address)
    assert first.read(50) == second.read(50) == ROSE[:50]
    assert first.read_all() == second.read_all() == ROSE[50:]
    pauses = (len(ROSE) - 1) // 50
    # A loop may be early by its clock's resolution.
    assert time.monotonic() - began > pauses * 0.05 - 0.02
    program.stop()


def test_who_leaves_early_disturbs_nobody(start: Start, dial: Dial, way: str) -> None:
    """The recital that was broken off says nothing more, and the next is served as ever."""
    options = ["--bytes", 100, "--delay", 0.01]
    program = start("slow_poetry.py", "--port", 0, "--loop", way, *options)
    address = program.read_address()
    for _ in range(3):
        peer = dial(address)
        peer.read(100)
        peer.reset()
    assert dial(address).read_all() == HOPE
    program.stop()


# -- the clients --------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_poems_are_fetched_at_once(start: Start, server: Server, style: str, way: str) -> None:
    """Both connections are there before either has been answered."""
    where = at(server.address)
    client = start(f"get_poetry_{style}.py", "--loop", way, where, where)
    peers = [server.accept(), server.accept()]
    for peer in peers:
        peer.send(HOPE[:10])
    for peer in reversed(peers):
        peer.send(HOPE[10:])
        peer.close()
    assert client.finish() == 2 * (HOPE.decode() + "\n")
    assert (client.status, client.stderr) == (0, "")


@pytest.mark.parametrize("style", STYLES)
def test_poems_of_slow_servers(start: Start, style: str, way: str) -> None:
    hope = start("slow_poetry.py", "--port", 0, "--loop", way, "--bytes", 90, "--delay", 0.01)
    poem = EXAMPLES / "poems" / "rose.txt"
    rose = start("slow_poetry.py", "--port", 0, "--poem", poem, "--bytes", 90, "--delay", 0.01)
    servers = [at(hope.read_address()), at(rose.read_address())]
    client = start(f"get_poetry_{style}.py", "--loop", way, *servers)
    printed = client.finish()
    assert (client.status, client.stderr) == (0, "")
    # The first style prints each poem as it comes, the others in the order asked for.
    poems = [HOPE.decode() + "\n", ROSE.decode() + "\n"]
    orders = [poems, poems[::-1]] if style == "factory" else [poems]
    assert printed in ["".join(order) for order in orders]
    hope.stop()
    rose.stop()


@pytest.mark.parametrize("style", STYLES)
def test_one_poem_that_fails_leaves_the_others(
    start: Start, server: Server, nobody: Address, style: str, way: str
) -> None:
    client = start(f"get_poetry_{style}.py", "--loop", way, at(nobody), at(server.address))
    peer = server.accept()
    peer.send(ROSE)
    peer.close()
    assert client.finish() == ROSE.decode() + "\n"
    assert client.status == 1
    assert client.stderr.startswith(f"get_poetry_{style}.py: {at(nobody)}: Connection was refused")
    assert client.stderr.count("\n") == 1


@pytest.mark.parametrize("style", STYLES)
def test_half_a_poem_is_no_poem(start: Start, server: Server, style: str, way: str) -> None:
    """A connection that breaks is not taken for the end."""
    client = start(f"get_poetry_{style}.py", "--loop", way, at(server.address))
    peer = server.accept()
    peer.send(LONG)
    peer.reset()
    assert client.finish() == ""
    assert client.status == 1
    assert "lost in a non-clean fashion" in client.stderr
    assert client.stderr.count("\n") == 1


def test_a_poem_that_takes_too_long_is_given_up(start: Start, server: Server, way: str) -> None:
    """Only asyncio's own `timeout` knows of the time limit; the connection ends with it."""
    where = at(server.address)
    client = start("get_poetry_async.py", "--loop", way, "--timeout", 0.2, where)
    peer = server.accept()
    peer.send(ROSE[:50])
    assert client.finish() == ""
    assert client.status == 1
    assert client.stderr == f"get_poetry_async.py: {where}: no whole poem within 0.2 seconds\n"
    peer.close()


# -- the proxy ----------------------------------------------------------------


def test_the_proxy_fetches_a_poem_once(start: Start, server: Server, dial: Dial, way: str) -> None:
    """The second answer comes although nobody is there to fetch it from."""
    program = start("poetry_proxy.py", "--port", 0, "--loop", way, at(server.address))
    address = program.read_address()
    first = dial(address)
    original = server.accept()
    server.close()
    original.send(HOPE[:100])
    original.send(HOPE[100:])
    original.close()
    assert first.read_all() == HOPE
    assert netcat(address) == HOPE
    assert netcat(address) == HOPE
    program.stop()


def test_the_proxy_does_not_keep_a_failure(
    start: Start, server: Server, dial: Dial, way: str
) -> None:
    program = start("poetry_proxy.py", "--port", 0, "--loop", way, at(server.address))
    address = program.read_address()
    peer = dial(address)
    original = server.accept()
    original.send(LONG)
    original.reset()
    assert peer.read_all().startswith(b"No poem today: Connection to the other side was lost")
    peer = dial(address)
    original = server.accept()
    original.send(HOPE)
    original.close()
    assert peer.read_all() == HOPE
    program.stop()


def test_the_proxy_hangs_up_when_its_client_has(
    start: Start, server: Server, dial: Dial, way: str
) -> None:
    """Nobody wants the poem any more: cancelling the Deferred ends the connection."""
    program = start("poetry_proxy.py", "--port", 0, "--loop", way, at(server.address))
    peer = dial(program.read_address())
    original = server.accept()
    original.send(HOPE[:100])
    peer.close()
    assert original.read_all() == b""
    original.close()
    program.stop()


def test_the_proxy_may_be_stopped_while_it_waits(
    start: Start, server: Server, dial: Dial, way: str
) -> None:
    program = start("poetry_proxy.py", "--port", 0, "--loop", way, at(server.address))
    peer = dial(program.read_address())
    original = server.accept()
    original.send(LONG)
    program.stop()
    assert peer.read_all() == b""
    original.close()


def test_the_proxy_in_front_of_the_slow_server(start: Start, way: str) -> None:
    slow = start("slow_poetry.py", "--port", 0, "--bytes", 100, "--delay", 0.01)
    proxy = start("poetry_proxy.py", "--port", 0, "--loop", way, at(slow.read_address()))
    address = proxy.read_address()
    assert netcat(address) == HOPE
    slow.stop()
    assert netcat(address) == HOPE
    proxy.stop()
