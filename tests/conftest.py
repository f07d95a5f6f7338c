"""
What every test shares: the loops it runs on, and what it may not leave behind.

A coroutine test runs once on asyncio's own loop and once on uvloop's. A test
that starts its own loop takes the fixture `loop_factory`, and so does the same.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

LOOPS: dict[str, LoopFactory] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, LoopFactory]:
    return LOOPS


@pytest.fixture(params=list(LOOPS.values()), ids=list(LOOPS))
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """What makes the loop of a test that starts one itself."""
    factory: LoopFactory = request.param
    return factory


class ErrorsSeen(list[dict[str, Any]]):
    """What a loop's exception handler was told, in order."""

    @property
    def exceptions(self) -> list[BaseException | None]:
        return [context.get("exception") for context in self]

    def take(self) -> list[BaseException | None]:
        """The exceptions so far; the test has expected them."""
        taken = self.exceptions
        self.clear()
        return taken


@pytest.fixture
async def errors() -> Any:
    """
    What is reported to the loop's exception handler during the test.

    Whatever the test does not `take()` fails it.
    """
    seen = ErrorsSeen()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(context))
    yield seen
    gc.collect()
    assert seen == []


@pytest.fixture(autouse=True, scope="module")
def collections_are_cheap() -> None:
    """
    What is there before the first test of a module is there for good: collectors need
    not look at it. Nor is it to be unfrozen: thousands of tests do a collection, and what
    pytest keeps of all of them is hundreds of thousands of objects.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_reactor_left() -> Iterator[None]:
    """Each test begins with no reactor that waits for a loop."""
    from reactorlib.internet import _current

    yield
    _current._default = None
