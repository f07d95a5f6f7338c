"""What every test of an example needs: a way to run it, and an end to all it started."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator

import pytest

from ._program import Address, Peer, Program, Server, connect

WAYS = [
    "reactor",
    "asyncio",
    pytest.param(
        "uvloop",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed"
        ),
    ),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each of the three ways to run a program."""
    way: str = request.param
    return way


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start a program; what still runs when the test is over is killed."""
    programs: list[Program] = []

    def start(name: str, *arguments: object) -> Program:
        programs.append(Program(name, *arguments))
        return programs[-1]

    yield start
    for program in programs:
        program.discard()


@pytest.fixture
def dial() -> Iterator[Callable[[Address], Peer]]:
    """Connect to a program; the connection lasts as long as the test does."""
    peers: list[Peer] = []

    def dial(address: Address) -> Peer:
        peers.append(connect(address))
        return peers[-1]

    yield dial
    for peer in peers:
        peer.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A listening socket for a client to connect to."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def nobody() -> Address:
    """An address where nobody listens."""
    server = Server()
    server.close()
    return server.address
