"""
What Deferreds leave behind, and what many of them cost.

Cost is counted in calls and in executed lines, never in time: twice as many
Deferreds may take a little more than twice as many steps, and no more.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from reactorlib.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredLock,
    ensureDeferred,
    fail,
    gatherResults,
    inlineCallbacks,
    maybeDeferred,
    race,
    succeed,
)


class Boom(Exception):
    pass


def raise_boom(_: object = None) -> None:
    raise Boom


def gives(value: Any) -> Callable[[object], Any]:
    """A callback that returns `value`."""
    return lambda _: value


def forget(_: object) -> None:
    """A step that handles whatever there is."""


# -- no cycles ----------------------------------------------------------------

#: The Deferreds that coroutines here wait for: no frame of theirs refers to one,
#: for a frame and an exception that passed it refer to each other in any Python.
to_await: list[Deferred[Any]] = []


async def awaits() -> Any:
    return await to_await.pop()


async def awaits_and_handles() -> None:
    try:
        await to_await.pop()
    except (Boom, CancelledError):
        pass


@inlineCallbacks
def yields() -> Generator[Any, Any, Any]:
    return (yield to_await.pop())


@inlineCallbacks
def yields_and_handles() -> Generator[Any, Any, None]:
    try:
        yield to_await.pop()
    except (Boom, CancelledError):
        pass


COROUTINES: list[Callable[[], Deferred[Any]]] = [
    lambda: ensureDeferred(awaits()),
    lambda: ensureDeferred(awaits_and_handles()),
    yields,
    yields_and_handles,
]


def callbacks() -> None:
    d = Deferred[int]()
    d.addCallback(lambda n: n + 1).addBoth(lambda n: n).addErrback(forget)
    d.callback(1)


def never_fired() -> None:
    Deferred[int](lambda d: None).addCallback(lambda n: n)
    Deferred[int]().addBoth(forget)


def failures_handled() -> None:
    d = Deferred[int]()
    d.addCallback(raise_boom).addErrback(forget)
    d.callback(1)
    fail(Boom()).addErrback(forget)
    maybeDeferred(raise_boom).addErrback(forget)


def returned() -> None:
    """Fired before and after; of success and of failure."""
    for result in (1, Boom()):
        before, after, outer = Deferred[Any](), Deferred[Any](), succeed(None)
        fire(before, result)
        outer.addCallback(gives(before)).addErrback(forget)
        outer.addCallback(gives(after)).addErrback(forget)
        fire(after, result)


def fire(d: Deferred[Any], result: Any) -> None:
    if isinstance(result, Boom):
        d.errback(result)
    else:
        d.callback(result)


def chained() -> None:
    source, target = Deferred[int](), Deferred[int]()
    source.chainDeferred(target)
    source.callback(1)


def coroutines_that_waited(result: Any = 1) -> None:
    for make in COROUTINES:
        d = Deferred[Any]()
        to_await.append(d)
        waiting = make()
        fire(d, result)
        waiting.addErrback(forget)


def coroutines_that_need_not_wait(result: Any = 1) -> None:
    for make in COROUTINES:
        d = Deferred[Any]()
        fire(d, result)
        to_await.append(d)
        make().addErrback(forget)


def coroutines_whose_deferred_fails() -> None:
    coroutines_that_waited(Boom())
    coroutines_that_need_not_wait(Boom())


def cancelled() -> None:
    for canceller in (None, forget, lambda d: d.errback(Boom())):
        Deferred[Any](canceller).addErrback(forget).cancel()
        inner, outer = Deferred[Any](canceller), succeed(None)
        outer.addCallback(gives(inner))
        outer.cancel()
        outer.addErrback(forget)


def coroutines_cancelled() -> None:
    for make in COROUTINES:
        to_await.append(Deferred())
        waiting = make()
        waiting.cancel()
        waiting.addErrback(forget)


def several() -> None:
    for combine in (DeferredList, gatherResults, race):
        ds = [Deferred[int]() for _ in range(3)]
        combined: Deferred[Any] = combine(ds)
        for d in ds:
            d.callback(1)
        combined.addErrback(forget)


def locks() -> None:
    lock = DeferredLock()
    lock.run(lambda: 1)
    lock.acquire()
    lock.run(lambda: 2)
    lock.acquire().addErrback(forget).cancel()
    lock.release()


#: From Python 3.12 on, the frame of a coroutine that an exception has passed keeps
#: the frames that called it, with their variables, as one of a function always did.
before_312 = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="an exception keeps its coroutine's callers"
)

SCENES = [
    callbacks,
    never_fired,
    failures_handled,
    returned,
    chained,
    coroutines_that_waited,
    coroutines_that_need_not_wait,
    pytest.param(coroutines_whose_deferred_fails, marks=before_312),
    cancelled,
    pytest.param(coroutines_cancelled, marks=before_312),
    several,
    locks,
]


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def garbage(scene: Callable[[], object]) -> list[str]:
    """What only the collector could free after the scene: the types, ours first."""
    scene()  # caches fill
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    scene()
    gc.collect()
    gc.set_debug(0)
    found = [type(thing).__name__ for thing in gc.garbage]
    gc.garbage.clear()
    return found


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_is_left_to_the_garbage_collector(scene: Callable[[], None]) -> None:
    assert garbage(scene) == []


@pytest.mark.parametrize("scene", [coroutines_whose_deferred_fails, coroutines_cancelled])
def test_what_is_left_can_be_collected(scene: Callable[[], None]) -> None:
    gc.collect()
    before = sum(isinstance(thing, Deferred) for thing in gc.get_objects())
    scene()
    gc.collect()
    assert sum(isinstance(thing, Deferred) for thing in gc.get_objects()) == before


@pytest.mark.usefixtures("collector_off")
def test_a_cycle_would_be_found() -> None:
    def cycle() -> None:
        d = Deferred[Any]()
        d.addCallback(lambda _: d)

    assert "Deferred" in garbage(cycle)


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize(
    "scene", [coroutines_that_waited, pytest.param(coroutines_cancelled, marks=before_312)]
)
def test_nor_inside_a_loop(
    scene: Callable[[], None], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def main() -> list[str]:
        return garbage(scene)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(main()) == []


@pytest.mark.usefixtures("collector_off")
@pytest.mark.parametrize("coroutine", [awaits, awaits_and_handles])
@pytest.mark.parametrize("ending", ["result", "failure", "cancel"])
async def test_nor_by_tasks_of_asyncio(coroutine: Callable[[], Any], ending: str) -> None:
    async def scene() -> None:
        to_await.append(Deferred())
        refs.append(weakref.ref(to_await[-1]))
        source = to_await[-1]
        task = asyncio.ensure_future(coroutine())
        await asyncio.sleep(0)
        if ending == "cancel":
            task.cancel()
        else:
            fire(source, 1 if ending == "result" else Boom())
        del source
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None or ending == "failure"

    refs: list[weakref.ref[Any]] = []
    await scene()
    for _ in range(3):
        await asyncio.sleep(0)
    assert refs[0]() is None


def test_a_callback_is_let_go_when_it_has_run() -> None:
    class Callback:
        def __call__(self, result: object) -> object:
            return result

    callback, canceller = Callback(), Callback()
    refs = [weakref.ref(callback), weakref.ref(canceller)]
    d = Deferred[int](canceller)
    d.addCallbacks(callback, callback)
    del callback, canceller
    assert None not in [ref() for ref in refs]
    d.callback(1)
    assert [ref() for ref in refs] == [None, None]


# -- no growth ----------------------------------------------------------------


def make_chain_and_drop(count: int) -> None:
    """Deferreds with callbacks, returned, chained, awaited, cancelled, failed."""
    for n in range(count // 10):
        inner, outer, target = Deferred[int](), Deferred[int](), Deferred[int]()
        outer.addCallback(gives(inner)).chainDeferred(target)
        target.addCallback(lambda n: n + 1)
        outer.callback(0)
        inner.callback(n)
        succeed(n).addCallback(succeed).addBoth(forget)
        fail(Boom()).addErrback(forget)
        to_await.append(Deferred())
        waited_for = to_await[-1]
        waiting = ensureDeferred(awaits())
        waited_for.callback(n)
        waiting.addCallback(forget)
        dropped = Deferred[int]()
        dropped.addErrback(forget)
        dropped.cancel()


def growth(count: int) -> int:
    """How many bytes are left of `count` Deferreds."""
    make_chain_and_drop(1_000)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        make_chain_and_drop(count)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_twenty_thousand_deferreds_leave_nothing() -> None:
    assert growth(20_000) < 4_000


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_deferreds_leave_nothing() -> None:
    assert growth(1_000_000) < 4_000


# -- no recursion, nothing quadratic ------------------------------------------


def steps(program: Callable[[], object]) -> int:
    """How many lines and calls, of Python and of C, it takes."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    def profile(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += 1

    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        program()
    finally:
        sys.setprofile(None)
        sys.settrace(None)
    return count


def depth() -> int:
    """How many frames are on the stack."""
    frame, count = sys._getframe(), 0
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


def note_depth(depths: list[int]) -> Callable[[Any], Any]:
    """A callback that changes nothing."""

    def note(result: Any) -> Any:
        depths.append(depth())
        return result

    return note


def chain_inside_out(count: int) -> list[int]:
    """Each waits for the one after; the last one fires. Depths at which each goes on."""
    ds = [Deferred[Any]() for _ in range(count)]
    depths: list[int] = []
    for d, following in pairwise(ds):
        d.addCallback(gives(following))
        d.addCallback(note_depth(depths))
    for d in ds[:-1]:
        d.callback(None)
    ds[-1].callback(5)
    assert ds[0].result == 5
    return depths


def chain_outside_in(count: int) -> list[int]:
    """The same, built from the other end."""
    ds = [Deferred[Any]() for _ in range(count)]
    depths: list[int] = []
    for d, following in reversed(list(pairwise(ds))):
        d.addCallback(gives(following))
        d.addCallback(note_depth(depths))
        d.callback(None)
    ds[-1].callback(5)
    assert ds[0].result == 5
    return depths


def chain_of_fired(count: int) -> list[int]:
    """Each returns one that has fired."""
    d: Deferred[Any] = Deferred()
    depths: list[int] = []
    for n in range(count):
        d.addCallback(gives(succeed(n)))
        d.addCallback(note_depth(depths))
    d.callback(None)
    assert d.result == count - 1
    return depths


def chain_of_coroutines(count: int) -> list[int]:
    """Each awaits the one before."""
    first: Deferred[Any] = Deferred()
    depths: list[int] = []

    async def link(d: Deferred[Any]) -> Any:
        result = await d
        depths.append(depth())
        return result

    d = first
    for _ in range(count):
        d = ensureDeferred(link(d))
    first.callback(5)
    assert d.result == 5
    return depths


def chain_cancelled(count: int) -> list[int]:
    """Cancelling the outermost cancels the innermost."""
    ds = [Deferred[Any]() for _ in range(count)]
    depths: list[int] = []
    for d, following in pairwise(ds):
        d.addCallback(gives(following))
        d.addErrback(note_depth(depths))
    for d in ds[:-1]:
        d.callback(None)
    ds[0].cancel()
    ds[0].addErrback(lambda failure: failure.trap(CancelledError))
    return depths


CHAINS = [
    chain_inside_out,
    chain_outside_in,
    chain_of_fired,
    chain_of_coroutines,
    chain_cancelled,
]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_of_ten_thousand_does_not_recurse(chain: Callable[[int], list[int]]) -> None:
    depths = chain(10_000)
    assert len(depths) >= 9_999
    assert max(depths) - depth() < 20


def callbacks_on_one(count: int) -> None:
    d = Deferred[int]()
    for _ in range(count):
        d.addCallback(lambda n: n + 1)
    d.callback(0)
    for _ in range(count):
        d.addCallback(lambda n: n + 1)
    assert d.result == 2 * count


def callbacks_added_by_callbacks(count: int) -> None:
    d = Deferred[int]()

    def step(n: int) -> int:
        if n < count:
            d.addCallback(step)
        return n + 1

    d.addCallback(step)
    d.callback(0)
    assert d.result == count + 1


def waiters_on_one(count: int) -> None:
    d = Deferred[int]()
    seen: list[int] = []

    async def wait() -> None:
        seen.append(await d)

    for _ in range(count):
        ensureDeferred(wait())
    d.callback(1)
    for _ in range(count):
        ensureDeferred(wait())
    assert len(seen) == 2 * count


def waiters_and_callbacks_on_one(count: int) -> None:
    d = Deferred[int]()
    done: list[Deferred[Any]] = []

    async def wait() -> int:
        return await d

    for _ in range(count // 2):
        done.append(ensureDeferred(wait()).addCallback(lambda n: n + 1))
        d.addCallback(lambda n: n)
    d.callback(1)
    assert [each.result for each in done] == [2] * (count // 2)


def outer_ones_on_one(count: int) -> None:
    inner = Deferred[int]()
    outer = [succeed(None).addCallback(lambda _: inner) for _ in range(count)]
    inner.callback(1)
    assert [d.result for d in outer[:2]] == [1, None]


MANY: list[Callable[[int], object]] = [
    *CHAINS,
    callbacks_on_one,
    callbacks_added_by_callbacks,
    waiters_on_one,
    waiters_and_callbacks_on_one,
    outer_ones_on_one,
]


@pytest.mark.parametrize("program", MANY)
def test_twice_as_many_take_twice_as_many_steps(program: Callable[[int], object]) -> None:
    program(10)
    once, twice = (steps(partial(program, count)) for count in (200, 400))
    assert twice < 2.2 * once


@pytest.mark.parametrize(
    "program", [callbacks_on_one, callbacks_added_by_callbacks, waiters_on_one, outer_ones_on_one]
)
def test_ten_thousand_on_one_deferred(program: Callable[[int], object]) -> None:
    program(10_000)


def test_the_count_tells_what_is_quadratic() -> None:
    def quadratic(count: int) -> None:
        for _ in range(count):
            for _ in range(count):
                pass

    once, twice = (steps(partial(quadratic, count)) for count in (50, 100))
    assert twice > 3 * once
