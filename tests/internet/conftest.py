"""The loops that the tests of the reactor run on: for some files, one more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

pytest.register_assert_rewrite(f"{__package__}._uses")

from ._refusing_loop import RefusingLoop  # noqa: E402  # after what has to come first

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

LOOPS: dict[str, LoopFactory] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

#: Whose tests run on a loop without `add_reader` too: only that itself is refused there.
REFUSED = {
    "test_attach",
    "test_context",
    "test_process",
    "test_reactor",
    "test_restart",
    "test_tcp",
    "test_threads",
    "test_transports",
    "test_udp",
    "test_unix_datagram",
}


def loops_for(path: Path) -> Mapping[str, LoopFactory]:
    """The loops that the tests of a file run on."""
    return LOOPS | ({"refusing": RefusingLoop} if path.stem in REFUSED else {})


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    return loops_for(item.path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path
    if "loop_factory" in metafunc.fixturenames and path.parent.name != "defer":  # has its own
        loops = loops_for(path)
        metafunc.parametrize("loop_factory", loops.values(), ids=loops, indirect=True)


@pytest.fixture
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """What makes the loop of a test that starts one itself."""
    factory: LoopFactory = request.param
    return factory
