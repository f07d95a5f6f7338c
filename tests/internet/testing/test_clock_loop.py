"""An asyncio loop that passes time over."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from reactorlib.internet import defer, reactor, task
from reactorlib.internet.testing import ClockEventLoop


def run(main: Callable[[], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """Run a coroutine on such a loop; in next to no time, or the test fails."""
    began = time.monotonic()
    with asyncio.Runner(loop_factory=lambda: ClockEventLoop(**options)) as runner:
        result = runner.run(main())
    assert time.monotonic() - began < 5
    return result


def the_loop() -> ClockEventLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockEventLoop)
    return loop


def test_a_sleep_of_years_is_over_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(100_000_000)
        return the_loop().clock.seconds()

    assert run(main) == pytest.approx(100_000_000)


def test_sleeps_end_in_their_order_and_at_their_time() -> None:
    async def main() -> list[tuple[float, str]]:
        seen: list[tuple[float, str]] = []

        async def sleeper(name: str, *delays: float) -> None:
            for delay in delays:
                await asyncio.sleep(delay)
                seen.append((the_loop().time(), name))

        async with asyncio.TaskGroup() as group:
            group.create_task(sleeper("a", 3, 3))
            group.create_task(sleeper("b", 1, 1, 6))
        return seen

    assert run(main) == [(1, "b"), (2, "b"), (3, "a"), (6, "a"), (8, "b")]


def test_a_timeout_cancels_what_takes_longer() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await asyncio.sleep(11)
        async with asyncio.timeout(10):
            await asyncio.sleep(9)
        return the_loop().time()

    assert run(main) == 19


def test_the_reactor_and_the_clock_go_with_it() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        reactor.callLater(2, seen.append, "reactor")
        the_loop().clock.callLater(1, seen.append, "clock")
        the_loop().call_later(3, seen.append, "loop")
        assert reactor.seconds() == 0
        await task.deferLater(reactor, 4, seen.append, "deferred")
        waited: defer.Deferred[str] = defer.Deferred()
        waited.addTimeout(5, reactor)
        with pytest.raises(defer.TimeoutError):
            await waited
        assert reactor.seconds() == 9
        return seen

    assert run(main) == ["clock", "reactor", "loop", "deferred"]


def test_the_reactor_runs_on_it() -> None:
    seen: list[float] = []

    def start() -> None:
        loop = task.LoopingCall(lambda: seen.append(reactor.seconds()))
        loop.start(60)
        reactor.callLater(150, reactor.stop)

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False, loop_factory=ClockEventLoop)
    assert seen == [0, 60, 120]


def test_advance_lets_everything_happen_at_its_moment() -> None:
    async def main() -> None:
        loop, seen = the_loop(), []

        async def beats() -> None:
            while True:
                await asyncio.sleep(1)
                seen.append(loop.time())

        beating = loop.create_task(beats())
        await loop.advance(2.5)
        assert (seen, loop.time()) == ([1, 2], 2.5)
        await loop.advance(0.5)
        assert seen == [1, 2, 3]
        beating.cancel()
        with pytest.raises(ValueError, match="backwards"):
            await loop.advance(-1)

    run(main, jumps=False)


@pytest.mark.parametrize("steps", [(5, 1), (1, 5), (5, 1, 3, 1)], ids=str)
def test_several_that_advance_at_once_return_in_their_order(steps: tuple[int, ...]) -> None:
    async def main() -> None:
        loop, seen = the_loop(), list[Any]()

        async def advances(seconds: int) -> None:
            await loop.advance(seconds)
            seen.append((seconds, loop.time()))
            loop.call_later(0.5, lambda: seen.append(("after", loop.time())))

        loop.call_later(2, lambda: seen.append(("timer", loop.time())))
        await asyncio.gather(*map(advances, steps))
        assert loop.time() == 5
        moments = [when for _, when in seen]
        assert moments == sorted(moments)
        expected: list[Any] = [(step, step) for step in steps] + [("timer", 2)]
        expected += [("after", step + 0.5) for step in steps if step < 5]
        assert Counter(seen) == Counter(expected)

    run(main, jumps=False)


def test_an_advance_that_is_cancelled_holds_up_no_other() -> None:
    async def main() -> None:
        loop = the_loop()
        short = loop.create_task(loop.advance(1))
        long = loop.create_task(loop.advance(5))
        await asyncio.sleep(0)
        short.cancel()
        await long
        assert short.cancelled()
        assert loop.time() == 5

    run(main, jumps=False)


@pytest.mark.parametrize("jumps", [True, False])
def test_a_clock_moved_on_meanwhile_is_not_set_back(jumps: bool) -> None:
    async def main() -> None:
        loop = the_loop()
        loop.clock.callLater(1, loop.clock.advance, 10)
        await loop.advance(2)
        assert loop.time() == 11

    run(main, jumps=jumps)


def test_a_clock_moved_by_hand_makes_what_is_due_ready() -> None:
    async def main() -> None:
        loop, seen = the_loop(), list[int]()
        loop.call_later(1, seen.append, 1)
        loop.call_later(2, seen.append, 2)
        loop.clock.advance(1.5)
        await loop.advance(0)
        assert seen == [1]

    run(main, clock=task.Clock(), jumps=False)


def test_what_a_call_of_the_clock_raises_is_reported_and_the_others_are_made() -> None:
    async def main() -> None:
        loop, seen, errors = the_loop(), list[int](), list[Any]()
        loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
        loop.clock.callLater(1, lambda: 1 / 0)
        loop.clock.callLater(1, seen.append, 1)
        await asyncio.sleep(2)
        assert seen == [1]
        assert [type(error) for error in errors] == [ZeroDivisionError]

    run(main)


def test_waiting_for_what_cannot_come_ends_with_an_error() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="wait forever"):
        run(main)


def test_a_clock_that_stands_still_ends_a_sleep_with_an_error() -> None:
    async def main() -> None:
        await asyncio.sleep(5)

    with pytest.raises(RuntimeError, match=r"stands still at 0\.0.*due at 5"):
        run(main, jumps=False)


def test_sockets_and_threads_are_refused() -> None:
    async def main() -> None:
        loop = the_loop()
        near, far = socket.socketpair()
        with near, far:
            with pytest.raises(RuntimeError, match="in memory"):
                loop.add_reader(near, print)
            near.setblocking(False)
            with pytest.raises(RuntimeError, match="in memory"):
                await loop.sock_recv(near, 1)
        with pytest.raises(RuntimeError, match="a thread does not"):
            await asyncio.to_thread(print)
        with pytest.raises(RuntimeError, match="in memory"):
            await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

    run(main)
