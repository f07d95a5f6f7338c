"""Promise 6: a traceback shows every user frame, in order, and little of ours."""

from __future__ import annotations

import asyncio
import itertools
import os
import traceback
from collections.abc import Callable, Generator
from typing import Any

import pytest

import reactorlib
from reactorlib.internet.defer import (
    Deferred,
    ensureDeferred,
    fail,
    inlineCallbacks,
    maybeDeferred,
    succeed,
)
from reactorlib.python.failure import Failure

from ._border import Driver, turns

_OURS = os.path.dirname(os.path.abspath(reactorlib.__file__)) + os.sep


_ASYNCIOS = os.path.dirname(asyncio.__file__) + os.sep

#: The drivers, and what catches for the test.
AROUND = ["_await", "_yield", "caught"]


def frames(error: BaseException) -> list[str]:
    """The functions in a traceback, outermost first; ours as "-", asyncio's as "a"."""
    return [
        "-"
        if frame.filename.startswith(_OURS)
        else "a"
        if frame.filename.startswith(_ASYNCIOS)
        else frame.name
        for frame in traceback.extract_tb(error.__traceback__)
    ]


def user_frames(error: BaseException) -> list[str]:
    return [name for name in frames(error) if name not in ("-", "a", *AROUND)]


def assert_frames(error: BaseException, expected: list[str]) -> None:
    """Every user frame in order, and between any two at most one of ours."""
    seen = frames(error)
    assert user_frames(error) == expected
    assert ("-", "-") not in itertools.pairwise(seen), seen


async def caught(awaitable: Any) -> BaseException:
    try:
        await awaitable
    except BaseException as error:
        return error
    raise AssertionError("it has not failed")


# -- user code, at the bottom of it all ---------------------------------------


def bottom() -> None:
    raise LookupError("bottom")


def first(result: object) -> None:
    bottom()


def in_callback() -> Deferred[Any]:
    return succeed(None).addCallback(first)


async def coroutine() -> None:
    await succeed(None)
    bottom()


async def after_a_turn() -> None:
    await asyncio.sleep(0)
    bottom()


def in_coroutine() -> Deferred[Any]:
    return ensureDeferred(coroutine())


@inlineCallbacks
def generator() -> Generator[Any, Any, None]:
    yield succeed(None)
    bottom()


def in_call() -> Deferred[Any]:
    return maybeDeferred(bottom)


SOURCES: dict[Callable[[], Any], list[str]] = {
    in_callback: ["first", "bottom"],
    in_coroutine: ["coroutine", "bottom"],
    coroutine: ["coroutine", "bottom"],
    after_a_turn: ["after_a_turn", "bottom"],
    generator: ["generator", "bottom"],
    in_call: ["bottom"],
    lambda: asyncio.create_task(after_a_turn()): ["after_a_turn", "bottom"],
    lambda: asyncio.create_task(coroutine()): ["coroutine", "bottom"],
    lambda: asyncio.wait_for(after_a_turn(), None): ["after_a_turn", "bottom"],
}


@pytest.mark.parametrize("source", SOURCES)
async def test_where_it_was_raised(driver: Driver, source: Callable[[], Any], tidy: Any) -> None:
    error = await caught(driver.start(source).handle)
    assert user_frames(error) == SOURCES[source]


# -- through hops -------------------------------------------------------------


async def outer(it: Any) -> None:
    await it


async def middle(it: Any) -> None:
    await outer(it)


@inlineCallbacks
def yields(it: Any) -> Generator[Any, Any, None]:
    yield it


def again(failure: Failure) -> Any:
    failure.raiseException()


def returned(it: Any) -> Deferred[Any]:
    return succeed(None).addCallback(lambda _: it)


HOPS: list[tuple[Callable[[Any], Any], list[str]]] = [
    (lambda it: ensureDeferred(outer(it)), ["outer"]),
    (lambda it: ensureDeferred(middle(it)), ["middle", "outer"]),
    (lambda it: yields(it), ["yields"]),
    (lambda it: asyncio.create_task(middle(it)), ["middle", "outer"]),
    (lambda it: it.addErrback(again), ["again"]),
    (returned, []),
    (lambda it: it.addErrback(lambda failure: failure), []),
]


@pytest.mark.parametrize("state", ["pending", "fired"])
@pytest.mark.parametrize("hop", range(len(HOPS)))
async def test_through_a_hop(driver: Driver, hop: int, state: str, tidy: Any) -> None:
    go, names = HOPS[hop]
    d: Deferred[Any] = Deferred()
    d.addCallback(first)
    if state == "fired":
        d.callback(None)
    run = driver.start(lambda: go(d))
    await turns(3)
    if state == "pending":
        d.callback(None)
    assert_frames(await caught(run.handle), [*names, "first", "bottom"])


@pytest.mark.parametrize("state", ["pending", "fired"])
def test_through_many_hops_without_a_loop(state: str) -> None:
    source: Deferred[Any] = Deferred()
    source.addCallback(first)
    if state == "fired":
        source.callback(None)
    d = ensureDeferred(middle(yields(returned(ensureDeferred(outer(yields(source)))))))
    if state == "pending":
        source.callback(None)
    seen: list[Failure] = []
    d.addErrback(seen.append)
    (failure,) = seen
    expected = ["middle", "outer", "yields", "outer", "yields", "first", "bottom"]
    assert_frames(failure.value.with_traceback(failure.tb), expected)


async def test_through_many_hops_of_both_kinds(driver: Driver, tidy: Any) -> None:
    async def body() -> None:
        task = asyncio.create_task(middle(yields(after_a_turn())))
        await ensureDeferred(outer(asyncio.gather(ensureDeferred(outer(task)))))

    error = await caught(driver.start(body).handle)
    assert_frames(
        error, ["body", "outer", "outer", "middle", "outer", "yields", "after_a_turn", "bottom"]
    )


async def test_each_waiter_sees_its_own_path(tidy: Any) -> None:
    """The frames of one do not pile up before another."""
    d: Deferred[Any] = Deferred()
    d.addCallback(first)
    waiting = [ensureDeferred(outer(d)), yields(d)]
    task = asyncio.create_task(outer(d))
    await turns(2)
    d.callback(None)
    # asyncio's own task remembers the traceback until it is first awaited.
    assert_frames(await caught(task), ["outer", "first", "bottom"])
    for _ in range(3):
        for each, name in zip(waiting, ["outer", "yields"], strict=True):
            assert_frames(await caught(each), [name, "first", "bottom"])
    for _ in range(5):
        assert_frames(await caught(d), ["first", "bottom"])
        assert_frames(await caught(outer(d)), ["outer", "first", "bottom"])


async def test_what_was_never_raised_has_the_frames_that_awaited_it(
    driver: Driver, tidy: Any
) -> None:
    error = await caught(driver.start(lambda: outer(fail(LookupError()))).handle)
    assert_frames(error, ["outer"])


# -- notes, causes, groups ----------------------------------------------------


def noted() -> None:
    try:
        try:
            bottom()
        except LookupError as error:
            raise ValueError("with a cause") from error
    except ValueError as error:
        error.add_note("a note")
        raise


def grouped() -> None:
    errors: list[Exception] = []
    for make in (noted, bottom):
        try:
            make()
        except Exception as error:
            errors.append(error)
    raise ExceptionGroup("both", errors)


def in_context() -> None:
    try:
        bottom()
    except LookupError:
        raise ValueError("while handling another")  # noqa: B904  # the context is what is tested


@pytest.mark.parametrize("make", [noted, grouped, in_context])
@pytest.mark.parametrize("state", ["pending", "fired"])
async def test_notes_causes_and_groups_survive(
    driver: Driver, make: Callable[[], None], state: str, tidy: Any
) -> None:
    try:
        make()
    except Exception as error:
        expected = "".join(traceback.format_exception_only(error))
        cause, context = repr(error.__cause__), repr(error.__context__)
    d: Deferred[Any] = Deferred()
    d.addCallback(lambda _: make())
    if state == "fired":
        d.callback(None)
    run = driver.start(lambda: yields(ensureDeferred(outer(d))))
    await turns(3)
    if state == "pending":
        d.callback(None)
    raised = await caught(run.handle)
    assert "".join(traceback.format_exception_only(raised)) == expected
    assert (repr(raised.__cause__), repr(raised.__context__)) == (cause, context)
    text = "".join(traceback.format_exception(raised))
    assert "bottom" in text
    assert ("a note" in text) == (make is not in_context)


async def test_except_star(driver: Driver, tidy: Any) -> None:
    async def later(make: Callable[[], Any]) -> None:
        await asyncio.sleep(0)
        await make()

    async def body() -> Any:
        seen: list[Any] = []
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(later(lambda: fail(LookupError("a"))))
                group.create_task(later(lambda: maybeDeferred(noted)))
        except* LookupError as errors:
            seen.append(repr(errors.exceptions))
        except* ValueError as errors:
            seen.append(errors.exceptions[0].__notes__)
        return seen

    assert await driver.outcome(body) == ("result", ["(LookupError('a'),)", ["a note"]])
