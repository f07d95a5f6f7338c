"""
Random programs over several Deferreds, against a naive model of what is documented.

`ModelDeferred` is a list of steps and a recursive loop over it. It has none of the
things that make the real one hard to get right: no iterator that outlives a step,
no stack of Deferreds in place of recursion, nothing kept about who has handled a
failure. A program runs once on each, and every observation must agree: each call
of a callback with its argument, in order; what each coroutine saw; each
Deferred's state at the end; and which failures are reported as unhandled.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from random import Random
from types import CoroutineType
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactorlib.internet.defer import AlreadyCalledError, CancelledError, Deferred, ensureDeferred
from reactorlib.python.failure import Failure

# -- the model ----------------------------------------------------------------


class ModelDeferred:
    """
    The documented behaviour, written for reading.

    A step is a triple. ("call", callback, errback): the two halves. ("chain",
    outer): `outer` takes the result over, and None stays. ("wait", resume):
    somebody sees the result and leaves it; `resume` gives the Deferred that this
    has provided with a result, if any.
    """

    def __init__(self, canceller: Callable[[Any], object] | None = None) -> None:
        self.canceller = canceller
        self.called = False
        self.paused = 0
        self.result: Any = None
        self.steps: list[tuple[Any, ...]] = []
        self.running = False
        self.waits_for: ModelDeferred | None = None
        self.cancelled_once = False
        self.forgives = False  # one result that comes after the cancellation
        self.coroutine: ModelCoroutine | None = None
        self.seen: list[Failure] = []

    def settled(self) -> bool:
        return self.called and not self.paused and not self.steps

    # Steps.

    def addCallbacks(
        self, callback: Callable[..., Any] | None, errback: Callable[..., Any] | None
    ) -> None:
        self.steps.append(("call", callback, errback))
        self.run()

    def chainDeferred(self, other: ModelDeferred) -> None:
        if not other.called:
            other.waits_for = self
        self.addCallbacks(other.callback, other.errback)

    # The result.

    def callback(self, result: Any) -> None:
        if self.called:
            if self.forgives:
                self.forgives = False
                return
            raise AlreadyCalledError
        self.called = True
        self.waits_for = None
        self.result = result
        self.run()

    def errback(self, failure: Any) -> None:
        self.callback(failure if isinstance(failure, Failure) else Failure(failure))

    def pause(self) -> None:
        self.paused += 1

    def unpause(self) -> None:
        self.paused -= 1
        self.run()

    def run(self) -> None:
        if self.running or not self.called:
            return
        while self.steps and not self.paused:
            self.running = True
            kind, *about = self.steps[0]
            woken: ModelDeferred | None = None
            if kind == "call":
                self.call(*about)
            elif kind == "chain":
                (woken,) = about
                woken.waits_for = None
                woken.result, self.result = self.result, None
                woken.paused -= 1
            else:
                if isinstance(self.result, Failure):
                    self.seen.append(self.result)
                woken = about[0](self.result)
            del self.steps[0]
            if woken is not None:
                # Whoever has waited goes on before the next step.
                self.running = bool(self.steps)
                woken.run()
        self.running = False

    def call(self, callback: Callable[..., Any] | None, errback: Callable[..., Any] | None) -> None:
        function = errback if isinstance(self.result, Failure) else callback
        if function is None:
            return
        try:
            self.result = function(self.result)
        except Exception as exception:
            self.result = Failure(exception)
        if isinstance(self.result, CoroutineType):
            self.result = ModelCoroutine(self.result).deferred
        if isinstance(self.result, ModelDeferred):
            inner = self.result
            if inner is self:
                self.result = Failure(RuntimeError())
            elif inner.settled():
                self.result, inner.result = inner.result, None
            else:
                self.waits_for = inner
                self.paused += 1
                inner.steps.append(("chain", self))

    # Cancelling.

    def cancel(self, message: object = None) -> None:
        target = self
        passed: list[ModelDeferred] = []
        while target.called or target.coroutine is not None:
            if target.called:
                following = target.waits_for
            else:
                assert target.coroutine is not None
                following = target.coroutine.waiting_for()
            if following is None or any(target is one for one in passed):
                return
            passed.append(target)
            target = following
        if not target.cancelled_once:
            target.cancelled_once = True
            if target.canceller is None:
                target.forgives = True
            else:
                target.canceller(target)
            if not target.called:
                target.errback(CancelledError() if message is None else CancelledError(message))

    # Waiting.

    def __await__(self) -> Generator[Any, Any, Any]:
        if not self.settled():
            return (yield self)
        if isinstance(self.result, Failure):
            self.seen.append(self.result)
            raise self.result.value
        return self.result


class ModelCoroutine:
    """A coroutine that waits for Deferreds."""

    def __init__(self, coro: Coroutine[Any, Any, Any]) -> None:
        self.coro = coro
        self.deferred = ModelDeferred()
        self.deferred.coroutine = self
        self.waits_for: ModelDeferred | None = None
        self.step(None)

    def step(self, result: Any) -> ModelDeferred | None:
        self.waits_for = None
        try:
            if isinstance(result, Failure):
                self.waits_for = self.coro.throw(result.value)
            else:
                self.waits_for = self.coro.send(result)
        except StopIteration as stop:
            return self.finish(stop.value)
        except BaseException as exception:
            return self.finish(Failure(exception))
        assert self.waits_for is not None
        self.waits_for.steps.append(("wait", self.step))
        return None

    def finish(self, result: Any) -> ModelDeferred | None:
        self.deferred.coroutine = None
        if self.deferred.called:
            return None
        self.deferred.called = True
        self.deferred.waits_for = None
        self.deferred.result = result
        return self.deferred

    def waiting_for(self) -> ModelDeferred:
        assert self.waits_for is not None, "no program cancels a coroutine that runs"
        return self.waits_for


class ModelFuture:
    """What the future of a Deferred has seen."""

    def __init__(self, d: ModelDeferred) -> None:
        self.deferred = d
        self.outcome: Any = None
        if d.settled():
            self.resume(d.result)
            if isinstance(d.result, Failure):
                d.seen.append(d.result)
        else:
            d.steps.append(("wait", self.resume))

    def resume(self, result: Any) -> None:
        if self.outcome is None:
            self.outcome = describe(result)

    def cancel(self, message: object) -> None:
        if self.outcome is None:
            self.outcome = describe(Failure(CancelledError(message)))
            self.deferred.cancel(message)


# -- programs -----------------------------------------------------------------


class Boom(Exception):
    """What the programs raise; each has a number."""


@dataclass(frozen=True)
class Act:
    """
    One thing done to the Deferred number `target`.

    Numbers are taken modulo how many there are, so that every program is valid.
    """

    what: str
    target: int
    number: int = 0
    behaviours: tuple[Behaviour, ...] = ()


@dataclass(frozen=True)
class Behaviour:
    """What a callback, a canceller or a coroutine does, and how it ends."""

    acts: tuple[Act, ...]
    outcome: str
    number: int


@dataclass(frozen=True)
class Program:
    cancellers: tuple[Behaviour | None, ...]
    acts: tuple[Act, ...]


#: Few, so that the parts of a program meet.
numbers = st.integers(0, 3)
PLAIN = ["callback", "errback", "cancel", "pause", "unpause", "chainDeferred"]
STEPS = ["addCallback", "addErrback", "addBoth", "addCallbacks", "addCallbacks"]
OUTCOMES = ["pass", "value", "raise", "failure", "deferred", "deferred", "fired", "coroutine"]


def act(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    # Not st.builds(): it remembers each call, and takes minutes to print a program.
    return st.tuples(*parts).map(lambda values: Act(*values))


def behave(inner: st.SearchStrategy[Act]) -> st.SearchStrategy[Behaviour]:
    parts = st.tuples(st.lists(inner, max_size=3), st.sampled_from(OUTCOMES), numbers)
    return parts.map(lambda values: Behaviour(tuple(values[0]), *values[1:]))


def acts(inner: st.SearchStrategy[Behaviour]) -> st.SearchStrategy[Act]:
    return st.one_of(
        act(st.sampled_from(PLAIN), numbers, numbers),
        act(st.sampled_from(STEPS), numbers, numbers, st.tuples(inner, inner)),
        act(st.just("coroutine"), numbers, numbers, st.tuples(inner)),
    )


simple_acts = act(st.sampled_from([*PLAIN, "await"]), numbers, numbers)
behaviours = behave(
    st.one_of(simple_acts, acts(behave(st.one_of(simple_acts, acts(behave(simple_acts))))))
)
futures = act(st.sampled_from(["future", "cancel future"]), numbers, numbers)


def programs(extra: st.SearchStrategy[Act] | None = None) -> st.SearchStrategy[Program]:
    some = acts(behaviours)
    return st.tuples(
        st.lists(st.none() | behaviours, min_size=1, max_size=3),
        st.lists(some if extra is None else some | extra, min_size=1, max_size=16),
    ).map(lambda parts: Program(tuple(parts[0]), tuple(parts[1])))


def random_program(random: Random) -> Program:
    """A program of one number: far cheaper to make, but nothing makes it smaller."""
    few = random.randint(1, 4)

    def number() -> int:
        return random.randrange(few)

    def behaviour(depth: int) -> Behaviour:
        count = random.choice((0, 0, 1, 1, 2, 3))
        return Behaviour(
            tuple(any_act(depth) for _ in range(count)), random.choice(OUTCOMES), number()
        )

    def any_act(depth: int) -> Act:
        kind = random.random()
        if depth == 0 or kind < 0.4:
            return Act(random.choice([*PLAIN, "await", "await"]), number(), number())
        if kind < 0.8:
            both = (behaviour(depth - 1), behaviour(depth - 1))
            return Act(random.choice(STEPS), number(), number(), both)
        return Act("coroutine", number(), number(), (behaviour(depth - 1),))

    cancellers = [
        behaviour(2) if random.random() < 0.5 else None for _ in range(random.randint(1, 3))
    ]
    return Program(tuple(cancellers), tuple(any_act(3) for _ in range(random.randint(1, 16))))


Observation: TypeAlias = tuple[Any, ...]


def describe(result: Any) -> Observation:
    """A result, without the identities in which the two runs differ."""
    if isinstance(result, Failure):
        name = type(result.value).__name__
        return (name, *(result.value.args if name != "RuntimeError" else ()))
    return ("value", result)


class Run:
    """One program, run on one kind of Deferred."""

    def __init__(
        self,
        make: Callable[..., Any],
        start: Callable[[Any], Any],
        future: Callable[[Any], Any],
    ) -> None:
        self.make = make
        self.start = start
        self.make_future = future
        self.trace: list[Observation] = []
        self.deferreds: list[Any] = []
        self.futures: list[Any] = []
        self.pauses: Counter[int] = Counter()
        self.count = 0
        #: Coroutines that are running: cancelling one is not part of a program.
        self.active: list[int] = []

    def run(self, program: Program) -> None:
        for behaviour in program.cancellers:
            canceller = None if behaviour is None else self.canceller(behaviour)
            self.deferreds.append(self.make(canceller))
        for act in program.acts:
            self.act(act)
        while paused := [index for index, pauses in sorted(self.pauses.items()) if pauses]:
            self.pauses[paused[0]] -= 1
            self.deferreds[paused[0]].unpause()

    def index(self, number: int) -> int:
        return number % len(self.deferreds)

    def next(self) -> int:
        self.count += 1
        return self.count

    def act(self, act: Act) -> None:
        index = self.index(act.target)
        d = self.deferreds[index]
        if act.what in STEPS:
            first, second = (self.function(behaviour) for behaviour in act.behaviours)
            match act.what:
                case "addCallback":
                    d.addCallbacks(first, None)
                case "addErrback":
                    d.addCallbacks(None, first)
                case "addBoth":
                    d.addCallbacks(first, first)
                case _:
                    d.addCallbacks(first, second)
            return
        match act.what:
            case "callback" | "errback":
                result = act.number if act.what == "callback" else Boom(self.next())
                try:
                    getattr(d, act.what)(result)
                except AlreadyCalledError:
                    self.trace.append(("already called", index))
            case "cancel":
                if not self.active:
                    d.cancel(act.number or None)
            case "pause":
                self.pauses[index] += 1
                d.pause()
            case "unpause":
                if self.pauses[index]:
                    self.pauses[index] -= 1
                    d.unpause()
            case "chainDeferred":
                if self.index(act.number) != index:
                    d.chainDeferred(self.deferreds[self.index(act.number)])
            case "coroutine":
                self.deferreds.append(self.start(self.coroutine(act.behaviours[0])))
            case "future":
                self.futures.append(self.make_future(d))
            case "cancel future":
                if self.futures:
                    self.futures[act.target % len(self.futures)].cancel(act.number)
            case "await":
                pass  # only a coroutine can

    def outcome(self, behaviour: Behaviour, result: Any) -> Any:
        match behaviour.outcome:
            case "pass":
                return result
            case "value":
                return behaviour.number
            case "raise":
                raise Boom(self.next())
            case "failure":
                return Failure(Boom(self.next()))
            case "deferred":
                return self.deferreds[self.index(behaviour.number)]
            case "fired":
                d = self.make()
                if behaviour.number % 2:
                    d.callback(behaviour.number)
                else:
                    d.errback(Boom(self.next()))
                return d
            case _:
                return self.coroutine(behaviour)

    def function(self, behaviour: Behaviour) -> Callable[[Any], Any]:
        number = self.next()

        def call(result: Any) -> Any:
            self.trace.append((number, *describe(result)))
            for act in behaviour.acts:
                self.act(act)
            return self.outcome(behaviour, result)

        return call

    def canceller(self, behaviour: Behaviour) -> Callable[[Any], None]:
        def cancel(d: Any) -> None:
            self.trace.append(("canceller", self.deferreds.index(d)))
            for act in behaviour.acts:
                self.act(act)
            if behaviour.outcome in ("value", "failure") and not d.called:
                if behaviour.outcome == "value":
                    d.callback(behaviour.number)
                else:
                    d.errback(Boom(self.next()))

        return cancel

    async def coroutine(self, behaviour: Behaviour) -> Any:
        number = self.next()
        result: Any = None
        for act in behaviour.acts:
            if act.what == "await":
                d = self.deferreds[self.index(act.target)]
                try:
                    result = await d
                except (Exception, CancelledError) as exception:
                    result = Failure(exception)
                self.trace.append((number, "resumed", *describe(result)))
            else:
                self.active.append(number)
                self.act(act)
                self.active.pop()
        match behaviour.outcome:
            case "raise" | "failure":
                raise Boom(self.next())
            case "deferred":
                return await self.deferreds[self.index(behaviour.number)]
            case _:
                return behaviour.number

    def place(self, d: Any) -> int | str:
        """Which Deferred it is."""
        return next((i for i, one in enumerate(self.deferreds) if one is d), "another")


def final(run: Run, d: Any, settled: bool, waits_for: Any) -> Observation:
    if settled:
        return describe(d.result)
    if waits_for is not None:
        return ("waits for", run.place(waits_for))
    return ("called", d.called, "paused", d.paused)


def run_model(program: Program) -> tuple[Any, ...]:
    run = Run(ModelDeferred, lambda coro: ModelCoroutine(coro).deferred, ModelFuture)
    run.run(program)
    states = [final(run, d, d.settled(), d.waits_for) for d in run.deferreds]
    unhandled = Counter(
        describe(d.result)
        for d in run.deferreds
        if d.settled() and isinstance(d.result, Failure) and d.result not in d.seen
    )
    return run.trace, states, [future.outcome for future in run.futures], unhandled


def future_outcome(future: asyncio.Future[Any]) -> Observation | None:
    if not future.done():
        return None
    try:
        return describe(future.result())
    except (Exception, CancelledError) as error:
        return describe(Failure(error))


def run_real(program: Program, reports: list[BaseException | None]) -> tuple[Any, ...]:
    gc.collect()
    reports.clear()
    run = Run(Deferred, ensureDeferred, lambda d: d.asFuture(asyncio.get_running_loop()))
    run.run(program)
    states = [final(run, d, d.done(), d._chainedTo) for d in run.deferreds]
    outcomes = [future_outcome(future) for future in run.futures]
    trace = run.trace
    assert reports == []
    del run
    gc.collect()
    unhandled = Counter(describe(Failure(exception)) for exception in reports)
    return trace, states, outcomes, unhandled


# -- the properties -----------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_old_to_collect() -> None:
    """Each program is followed by a collection; it shall look at its objects only."""
    gc.collect()
    gc.freeze()


class Reports(logging.Handler):
    """The exceptions that were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.exceptions: list[BaseException | None] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert record.exc_info is not None
        self.exceptions.append(record.exc_info[1])


def check(program: Program) -> None:
    """Without a loop: reports go to logging."""
    log = logging.getLogger("reactorlib.internet.defer")
    reports = Reports()
    log.addHandler(reports)
    log.propagate = False
    try:
        real = run_real(program, reports.exceptions)
    finally:
        log.removeHandler(reports)
        log.propagate = True
    for seen, expected in zip(real, run_model(program), strict=True):
        assert seen == expected


def check_in_loop(program: Program, factory: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Inside a loop: reports go to its exception handler, and futures wait too."""
    reports: list[BaseException | None] = []

    async def main() -> tuple[Any, ...]:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reports.append(context["exception"])
        )
        return run_real(program, reports)

    with asyncio.Runner(loop_factory=factory) as runner:
        real = runner.run(main())
    for seen, expected in zip(real, run_model(program), strict=True):
        assert seen == expected


def quick(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


@quick(200)
@given(programs())
def test_steps_run_in_order_exactly_once_and_inline(program: Program) -> None:
    check(program)


@quick(100)
@given(program=programs(futures))
def test_and_so_they_do_inside_a_loop(
    program: Program, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    check_in_loop(program, loop_factory)


@pytest.mark.parametrize("start", [0, 2_000, 4_000])
def test_and_so_they_do_in_programs_of_a_number(start: int) -> None:
    for number in range(start, start + 2_000):
        check(random_program(Random(number)))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_great_many_programs() -> None:
    for number in range(100_000):
        check(random_program(Random(number)))
