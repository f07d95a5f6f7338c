"""
The border between Deferreds and asyncio: the loops that it is tested on.

Everything here runs on asyncio's own loop, plain, in debug mode and with eager
tasks, and on uvloop's.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import uvloop

from ._border import DRIVERS, Driver, turns

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def debug_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


LOOPS: dict[str, LoopFactory] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
    "debug": debug_loop,
}

if sys.version_info >= (3, 12):

    def eager_loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop

    # Not with uvloop: its create_task passes what an eager task of 3.13 refuses.
    LOOPS["eager"] = eager_loop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    return LOOPS


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """What makes the loop of a test that starts one itself."""
    factory: LoopFactory = request.param
    return factory


@pytest.fixture(params=list(DRIVERS.values()), ids=list(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Driver:
    """What runs the body of the test."""
    chosen: Driver = request.param
    return chosen


@pytest.fixture
async def tidy(errors: Any) -> AsyncIterator[Any]:
    """`errors`; and the test leaves no task behind either."""
    yield errors
    await turns(5)
    if len(asyncio.all_tasks()) > 1:
        gc.collect()  # some may wait for what nobody has any more
    assert asyncio.all_tasks() == {asyncio.current_task()}
