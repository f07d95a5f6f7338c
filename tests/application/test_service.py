"""Services and trees of them: order, waiting, failing, names, and running inside asyncio."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from starlette.applications import Starlette
from zope.interface.verify import verifyObject

from reactorlib.application.service import (
    IProcess,
    IService,
    IServiceCollection,
    MultiService,
    Process,
    Service,
)
from reactorlib.internet.defer import CancelledError, Deferred, ensureDeferred, fail


class Told(Service):
    """Writes down what it is told, and waits or fails as it was asked to."""

    def __init__(self, log: list[str], name: str, start: Any = None, stop: Any = None) -> None:
        self.log = log
        self.name = name
        self.on_start = start
        self.on_stop = stop

    def privilegedStartService(self) -> None:
        self.log.append(f"privileged {self.name}")

    def startService(self) -> Any:
        super().startService()
        self.log.append(f"start {self.name}")
        return _outcome(self.on_start)

    def stopService(self, grace: float | None = None) -> Any:
        super().stopService()
        self.log.append(f"stop {self.name}" if grace is None else f"stop {self.name} {grace}")
        return _outcome(self.on_stop)


def _outcome(what: Any) -> Any:
    if isinstance(what, BaseException):
        raise what
    return what


def tree(log: list[str], *names: str, **outcomes: Any) -> MultiService:
    parent = MultiService()
    for name in names:
        Told(log, name, outcomes.get(name), outcomes.get(f"stop_{name}")).setServiceParent(parent)
    return parent


def test_interfaces() -> None:
    verifyObject(IService, Service())
    verifyObject(IServiceCollection, MultiService())
    verifyObject(IService, MultiService())
    verifyObject(IProcess, Process())


def test_children_start_in_order_and_stop_in_reverse_without_a_loop() -> None:
    log: list[str] = []
    parent = tree(log, "a", "b")
    parent.privilegedStartService()
    assert log == ["privileged a", "privileged b"]
    assert parent.startService().called
    assert parent.running
    assert log[2:] == ["start a", "start b"]
    stopped = parent.stopService()
    assert stopped.called
    assert not parent.running
    assert log[4:] == ["stop b", "stop a"]


def test_children_that_were_added_by_addService_start_and_stop_too() -> None:
    """Programs do that, and set no parent."""
    log: list[str] = []
    parent = MultiService()
    child = Told(log, "a")
    parent.addService(child)
    assert child.parent is None
    parent.startService()
    assert log == ["start a"]
    parent.stopService()
    assert log == ["start a", "stop a"]


def test_a_child_starts_when_the_one_before_has_started() -> None:
    log: list[str] = []
    slow: Deferred[None] = Deferred()
    parent = tree(log, "a", "b", a=slow)
    started = parent.startService()
    assert log == ["start a"]
    assert not started.called
    slow.callback(None)
    assert log == ["start a", "start b"]
    assert started.called


def test_stopped_while_it_starts() -> None:
    """What waits is cancelled, and stopped; what was not begun is not started."""
    log: list[str] = []
    cancelled: list[str] = []
    slow: Deferred[None] = Deferred(lambda _: cancelled.append("a"))
    parent = tree(log, "a", "b", a=slow)
    started = parent.startService()
    stopped = parent.stopService()
    assert cancelled == ["a"]
    assert stopped.called
    assert started.called
    assert log == ["start a", "stop b", "stop a"]


def test_a_child_that_fails_to_start_at_once_raises() -> None:
    log: list[str] = []
    parent = tree(log, "a", "b", "c", b=LookupError("no"))
    with pytest.raises(LookupError, match="no"):
        parent.startService()
    assert log == ["start a", "start b"]


def test_a_child_that_fails_later_fails_the_start() -> None:
    log: list[str] = []
    slow: Deferred[None] = Deferred()
    parent = tree(log, "a", "b", a=slow)
    errors: list[Any] = []
    parent.startService().addErrback(errors.append)
    slow.errback(LookupError("no"))
    assert errors[0].check(LookupError)
    assert log == ["start a"]


@pytest.mark.parametrize("how", ["raises", "fails at once", "fails later"])
def test_a_start_that_has_failed_can_be_tried_again(how: str) -> None:
    """It starts what has not started, and nothing twice."""
    log: list[str] = []
    later: Deferred[None] = Deferred()
    no = LookupError("no")
    outcome = later if how == "fails later" else no if how == "raises" else fail(no)
    parent = tree(log, "a", "b", "c", b=outcome)
    errors: list[Any] = []
    try:
        parent.startService().addErrback(lambda failure: errors.append(failure.type))
        later.errback(LookupError("no"))
    except LookupError as error:
        errors.append(type(error))
    assert errors == [LookupError]
    assert log == ["start a", "start b"]
    again: Deferred[None] = Deferred()
    parent.getServiceNamed("b").on_start = again
    started = parent.startService()
    assert log[2:] == ["start b"]
    assert not started.called
    again.callback(None)
    assert started.called
    assert log[2:] == ["start b", "start c"]
    assert parent.startService().called
    assert parent.stopService().called
    assert log[4:] == ["stop c", "stop b", "stop a"]


def test_in_a_tree_of_trees_the_start_is_tried_again_where_it_failed() -> None:
    log: list[str] = []
    slow: Deferred[None] = Deferred()
    parent = MultiService()
    tree(log, "a", "b", b=slow).setServiceParent(parent)
    Told(log, "c").setServiceParent(parent)
    (inner, _) = parent
    parent.startService().addErrback(lambda failure: failure.trap(LookupError) and None)
    slow.errback(LookupError("no"))
    inner.getServiceNamed("b").on_start = None
    assert parent.startService().called
    assert log == ["start a", "start b", "start b", "start c"]


@pytest.mark.parametrize("fails", [False, True])
def test_what_still_starts_is_waited_for_when_it_is_started_again(fails: bool) -> None:
    log: list[str] = []
    slow: Deferred[None] = Deferred()
    parent = tree(log, "a", "b", a=slow)
    results: list[Any] = []
    for _ in range(2):
        parent.startService().addErrback(lambda failure: failure.type).addCallback(results.append)
    assert log == ["start a"]
    assert results == []
    if fails:
        slow.errback(LookupError("no"))
        assert results == [LookupError, LookupError]
        assert log == ["start a"]
    else:
        slow.callback(None)
        assert results == [None, None]
        assert log == ["start a", "start b"]


def test_stopped_while_it_is_started_twice() -> None:
    log: list[str] = []
    parent = tree(log, "a", "b", a=Deferred())
    first, second = parent.startService(), parent.startService()
    assert parent.stopService().called
    assert (first.called, second.called) == (True, True)
    assert log == ["start a", "stop b", "stop a"]


def test_a_child_that_was_added_and_could_not_start_starts_with_the_others() -> None:
    log: list[str] = []
    parent = tree(log)
    parent.startService()
    child = Told(log, "a", start=LookupError("no"))
    with pytest.raises(LookupError):
        child.setServiceParent(parent)
    child.on_start = slow = Deferred[None]()
    started = parent.startService()
    assert log == ["privileged a", "start a", "start a"]
    assert not started.called
    slow.callback(None)
    assert started.called


def test_stopping_waits_for_the_last() -> None:
    slow: Deferred[None] = Deferred()
    log: list[str] = []
    parent = tree(log, "a", "b", stop_b=slow)
    parent.startService()
    stopped = parent.stopService()
    assert log[-2:] == ["stop b", "stop a"]
    assert not stopped.called
    slow.callback(None)
    assert stopped.called


def test_those_that_fail_to_stop_are_told_after_the_others_have_stopped() -> None:
    log: list[str] = []
    parent = tree(log, "a", "b", "c", stop_c=LookupError("c"), stop_b=fail(KeyError("b")))
    parent.startService()
    errors: list[Any] = []
    parent.stopService().addErrback(errors.append)
    assert log[-1] == "stop a"
    (failure,) = errors
    assert {type(error) for error in failure.value.exceptions} == {LookupError, KeyError}


def test_names() -> None:
    log: list[str] = []
    parent = tree(log, "a")
    a = parent.getServiceNamed("a")
    assert list(parent) == [a]
    assert a.parent is parent
    with pytest.raises(RuntimeError, match="has a parent"):
        a.setName("b")
    with pytest.raises(RuntimeError, match="same name 'a'"):
        Told(log, "a").setServiceParent(parent)
    with pytest.raises(KeyError):
        parent.getServiceNamed("b")
    a.disownServiceParent()
    assert list(parent) == []
    assert a.parent is None
    with pytest.raises(KeyError):
        parent.getServiceNamed("a")
    unnamed = Service()
    unnamed.setName("now")
    unnamed.setServiceParent(parent)
    assert parent.getServiceNamed("now") is unnamed


def test_a_name_that_is_taken_leaves_the_child_free() -> None:
    log: list[str] = []
    parent = tree(log, "a")
    child = Told(log, "a")
    with pytest.raises(RuntimeError):
        child.setServiceParent(parent)
    assert child.parent is None
    assert len(list(parent)) == 1


def test_a_collection_that_runs_starts_and_stops_children() -> None:
    log: list[str] = []
    parent = tree(log)
    parent.startService()
    child = Told(log, "a")
    child.setServiceParent(parent)
    assert log == ["privileged a", "start a"]
    other = MultiService()
    child.setServiceParent(other)  # out of the one, into the other
    assert log == ["privileged a", "start a", "stop a"]
    assert child.parent is other


def test_a_child_that_is_removed_while_it_starts_is_stopped() -> None:
    log: list[str] = []
    slow: Deferred[None] = Deferred()
    parent = tree(log)
    parent.startService()
    child = Told(log, "a", start=slow)
    child.setServiceParent(parent)
    gone = child.disownServiceParent()
    assert isinstance(slow.result if slow.called else None, type(None))
    assert gone.called
    assert log[-1] == "stop a"


def test_a_saved_tree_does_not_run() -> None:
    parent = MultiService()
    Service().setServiceParent(parent)
    parent.startService()
    again = pickle.loads(pickle.dumps(parent))  # our own bytes
    assert not again.running
    (child,) = again
    assert not child.running
    assert child.parent is again
    again.startService()
    assert child.running


def test_as_whom_a_program_runs() -> None:
    assert (Process().uid, Process().gid) == (None, None)
    assert (Process(0, 5).uid, Process(0, 5).gid) == (0, 5)


# -- inside asyncio -----------------------------------------------------------


class Pool(Service):
    """A service that awaits, as one around an asyncio library does."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def startService(self) -> None:
        await asyncio.sleep(0)
        super().startService()
        self.log.append("pool up")

    async def stopService(self, grace: float | None = None) -> None:
        await asyncio.sleep(0)
        super().stopService()
        self.log.append("pool down")


async def test_coroutines_start_and_stop_it() -> None:
    log: list[str] = []
    parent = MultiService()
    Pool(log).setServiceParent(parent)
    Told(log, "a").setServiceParent(parent)
    async with parent as same:
        assert same is parent
        assert log == ["privileged a", "pool up", "start a"]
    assert log[3:] == ["stop a", "pool down"]


async def test_a_start_that_fails_is_undone() -> None:
    log: list[str] = []
    parent = MultiService()
    Pool(log).setServiceParent(parent)
    Told(log, "a", start=LookupError("no")).setServiceParent(parent)
    with pytest.raises(LookupError):
        async with parent:
            log.append("never")
    assert log == ["privileged a", "pool up", "start a", "stop a", "pool down"]


async def test_a_coroutine_that_has_failed_is_started_again() -> None:
    class Database(Service):
        up = False
        tries = 0

        async def startService(self) -> None:
            super().startService()
            self.tries += 1
            await asyncio.sleep(0)
            if self.tries == 1:
                raise ConnectionError("not up yet")
            self.up = True

    parent, database = MultiService(), Database()
    database.setServiceParent(parent)
    with pytest.raises(ConnectionError):
        await parent.startService()
    await parent.startService()
    assert database.up
    await parent.startService()
    assert database.tries == 2
    await parent.stopService()


async def test_a_cancelled_start_is_undone() -> None:
    log: list[str] = []
    parent = MultiService()
    Told(log, "a").setServiceParent(parent)
    never: Deferred[None] = Deferred()
    Told(log, "b", start=never).setServiceParent(parent)

    async def run() -> None:
        async with parent:
            log.append("never")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await run()
    assert log == ["privileged a", "privileged b", "start a", "start b", "stop b", "stop a"]


async def test_grace_reaches_those_who_take_it_and_ends_the_others() -> None:
    log: list[str] = []
    cancelled: list[str] = []

    class Old(Service):
        def stopService(self) -> Any:  # type: ignore[override]  # as programs of old have it
            super().stopService()
            return Deferred(lambda _: cancelled.append("old"))

    parent = tree(log, "a")
    Old().setServiceParent(parent)
    await parent.startService()
    await parent.stopService(grace=0.01)
    assert log[-1] == "stop a 0.01"
    assert cancelled == ["old"]


@pytest.mark.parametrize("grace", [-1, float("inf"), float("nan")])
def test_grace_is_a_number_of_seconds(grace: float) -> None:
    log: list[str] = []
    parent = tree(log, "a")
    parent.startService()
    with pytest.raises(ValueError, match="grace"):
        parent.stopService(grace=grace)
    assert parent.running
    assert log == ["start a"]


async def test_in_the_lifespan_of_a_web_application() -> None:
    log: list[str] = []
    service = tree(log, "a")
    app = Starlette(lifespan=service.lifespan)
    async with app.router.lifespan_context(app):
        assert service.running
        assert log[-1] == "start a"
    assert log[-1] == "stop a"


async def test_a_cancelled_stop() -> None:
    """Whoever waits may give up; the stopping of a child is cancelled with that."""
    seen: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    log: list[str] = []
    parent = tree(log, "a", stop_a=ensureDeferred(slow()))
    await parent.startService()
    stopped = parent.stopService()
    stopped.cancel()
    with pytest.raises(CancelledError):
        await stopped
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["cancelled"]
