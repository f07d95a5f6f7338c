"""A reactor in the main loop of a toolkit: what holds for either."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from reactorlib.internet import reactor
from reactorlib.internet._current import current_reactor
from reactorlib.internet._guest import Guest, GuestLoop
from reactorlib.internet.defer import CancelledError, Deferred
from reactorlib.internet.error import ReactorAlreadyRunning, ReactorNotRunning
from reactorlib.internet.protocol import Factory, Protocol
from reactorlib.internet.task import deferLater

from ._window import Window

pytestmark = pytest.mark.timeout(20)


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


def quiet(make: Callable[[], Any]) -> Factory[Any]:
    factory = Factory[Any].forProtocol(make)
    factory.noisy = False
    return factory


# -- in the toolkit's main loop -----------------------------------------------


def test_the_reactor_runs_while_the_toolkit_does(window: Window) -> None:
    told: list[Any] = []

    async def talk(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for word in (b"one", b"two"):
            writer.write(word)
            told.append(await reader.readexactly(3))
        writer.close()
        await writer.wait_closed()
        await deferLater(reactor, 0.001)
        window.quit()

    with window.guest() as guest:
        port = guest.listenTCP(0, quiet(Echo), interface="127.0.0.1").getHost().port
        window.after(1, lambda: deferLater(reactor, 0, talk, port))
        window.run()
    assert told == [b"one", b"two"]


def test_what_waits_for_a_loop_runs_as_a_guest(window: Window) -> None:
    told: list[str] = []
    reactor.callWhenRunning(told.append, "running")
    reactor.callLater(0, told.append, "called")
    with window.guest():
        window.after(1, window.quit)
        window.run()
    assert told == ["running", "called"]


def test_reactor_means_the_guest_in_what_the_toolkit_calls(window: Window) -> None:
    seen: list[bool] = []

    def look() -> None:
        seen.append(current_reactor() is guest)
        window.quit()

    with window.guest() as guest:
        window.after(1, look)
        window.run()
    assert seen == [True]


@pytest.mark.parametrize("delay", [0, 0.002])
def test_what_the_toolkit_calls_wakes_the_loop(window: Window, delay: float) -> None:
    with window.guest():
        window.after(1, lambda: reactor.callLater(delay, window.quit))
        window.run()


def test_another_thread_wakes_the_loop(window: Window) -> None:
    with window.guest() as guest:
        thread = threading.Thread(target=lambda: guest.callFromThread(window.quit))
        window.after(1, thread.start)
        window.run()
        thread.join()


def test_a_socket_wakes_the_loop(window: Window) -> None:
    ours, theirs = socket.socketpair()

    class Quit(Protocol):
        def dataReceived(self, data: bytes) -> None:
            window.quit()

    with ours, window.guest() as guest:
        theirs.setblocking(False)
        guest.adoptStreamConnection(theirs.fileno(), socket.AF_UNIX, quiet(Quit))
        theirs.close()
        window.after(1, lambda: ours.send(b"x"))
        window.run()


def test_while_nothing_happens_the_loop_takes_no_turn(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []
    take = GuestLoop.take_turns

    def counted(loop: GuestLoop) -> None:
        turns.append(time.monotonic())
        take(loop)

    monkeypatch.setattr(GuestLoop, "take_turns", counted)
    with window.guest():
        reactor.callLater(60, window.quit)
        window.after(50, window.quit)
        window.run()
    assert 1 <= len(turns) < 5


def test_the_toolkit_gets_its_turn_while_the_loop_is_busy(window: Window) -> None:
    turns = 0

    async def busy() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            window.quit()
        else:
            window.after(1, call)

    with window.guest():
        working = deferLater(reactor, 0, busy)
        window.after(1, call)
        window.run()
        assert turns > 10
    assert working.cancelled()


# -- dialogs ------------------------------------------------------------------


def test_a_dialog_of_the_toolkits_does_not_hold_the_loop_up(window: Window) -> None:
    """A handler that waits, as in `messagebox.askyesno` or `QDialog.exec()`."""
    told: list[str] = []

    def dialog() -> None:
        window.wait_until(lambda end: reactor.callLater(0.001, end))
        told.append("dialog ended")
        window.quit()

    with window.guest():
        window.after(1, dialog)
        window.run()
    assert told == ["dialog ended"]


def test_a_dialog_of_a_coroutines_holds_the_loop_up_and_nothing_else(window: Window) -> None:
    told: list[str] = []

    def end_dialog(end: Callable[[], object]) -> None:
        reactor.callLater(0, told.append, "later")
        window.after(5, lambda: told.append("toolkit"))
        window.after(6, end)

    async def dialog() -> None:
        window.wait_until(end_dialog)
        told.append("dialog ended")
        await deferLater(reactor, 0.001)
        window.quit()

    with window.guest():
        deferLater(reactor, 0, dialog)
        window.run()
    assert told == ["toolkit", "dialog ended", "later"]


# -- the end ------------------------------------------------------------------


def test_at_the_end_everything_is_closed(window: Window) -> None:
    told: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except CancelledError:
            told.append("cancelled")
            raise

    with window.guest() as guest:
        port = guest.listenTCP(0, quiet(Echo), interface="127.0.0.1")
        address = ("127.0.0.1", port.getHost().port)
        guest.addSystemEventTrigger("before", "shutdown", told.append, "shutdown")
        working = deferLater(guest, 0, forever)
        guest.callLater(0.001, window.quit)
        window.run()
        loop = guest._loop
    assert told == ["shutdown", "cancelled"]
    assert working.cancelled()
    assert loop.is_closed()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("by", ["timer", "file"])
def test_who_ends_the_program_ends_the_main_loop(
    window: Window, kind: type[BaseException], by: str
) -> None:
    told: list[str] = []

    def end() -> None:
        raise kind

    def program() -> None:
        with window.guest() as guest:
            guest.addSystemEventTrigger("before", "shutdown", told.append, "shutdown")
            if by == "timer":
                guest.callLater(0.001, end)
            else:
                window.after(1, lambda: guest.callFromThread(end))
            window.run()

    with pytest.raises(kind):
        program()
    assert told == ["shutdown"]


def test_there_can_be_another_one_after_it(window: Window) -> None:
    seen = []
    for _ in range(2):
        with window.guest() as guest:
            guest.callLater(0, window.quit)
            window.run()
            seen.append(guest)
    assert seen[0] is not seen[1]
    assert current_reactor() not in seen


def test_an_error_in_the_body_goes_through(window: Window) -> None:
    with pytest.raises(LookupError), window.guest():
        raise LookupError


def test_the_end_is_the_toolkits(window: Window) -> None:
    with window.guest() as guest, pytest.raises(ReactorNotRunning, match="whatever else runs"):
        guest.stop()


async def test_a_loop_that_runs_cannot_be_a_guest(qt: Window) -> None:
    with pytest.raises(ReactorAlreadyRunning, match=r"install\(\)"), qt.guest():
        pass


# -- install ------------------------------------------------------------------


def test_an_installed_window_lives_while_the_reactor_runs(
    window: Window, loop_factory: Any
) -> None:
    window.support.install(window.root, ms=1)
    window.after(1, reactor.stop)
    reactor.run(installSignalHandlers=False, loop_factory=loop_factory)
    window.support.uninstall()


async def test_a_window_can_be_installed_in_a_loop_that_runs(window: Window) -> None:
    called: Deferred[None] = Deferred()
    window.support.install(window.root, 1, reactor)
    with pytest.raises(RuntimeError, match="uninstall"):
        window.support.install(window.root)
    window.after(1, lambda: called.callback(None))
    await called
    window.support.uninstall()
    assert reactor.getDelayedCalls() == []
    window.support.install(window.root, 1)
    window.support.uninstall()
    window.support.uninstall()


# -- turns, with a toolkit that a test plays ----------------------------------


class Stage:
    """A toolkit that does what the test says."""

    ended_by: BaseException | None = None

    def __init__(self) -> None:
        self.watched: Callable[[], object] | None = None
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.armed = 0

    def watch(self, fd: int, ready: Callable[[], object]) -> None:
        self.watched = ready

    def unwatch(self, fd: int) -> None:
        self.watched = None

    def after(self, seconds: float, function: Callable[[], object]) -> Any:
        self.armed += 1
        self.timers.append((seconds, function))
        return self.timers[-1]

    def cancel(self, timer: Any) -> None:
        if timer in self.timers:
            self.timers.remove(timer)

    def go_on(self) -> float:
        """Let the only timer go off; how many seconds it was set for."""
        ((seconds, function),) = self.timers
        self.timers.clear()
        function()
        return seconds


def test_the_timer_is_set_for_the_next_call() -> None:
    stage = Stage()
    with Guest(stage) as guest:
        assert stage.go_on() == 0
        assert stage.watched is not None
        assert stage.timers == []
        guest.callLater(60, int)
        assert stage.go_on() == 0
        ((seconds, _),) = stage.timers
        assert 59 < seconds <= 60
        assert stage.watched is not None


def test_many_calls_wake_the_loop_once() -> None:
    stage = Stage()
    with Guest(stage) as guest:
        stage.go_on()
        armed = stage.armed
        for _ in range(10):
            guest.callLater(0, int)
            guest.callLater(1, int)
        assert stage.armed == armed + 1


def test_work_without_end_gives_way() -> None:
    """Until the next turn the files are not watched, so that Tk finds time to draw."""
    stage = Stage()
    with Guest(stage) as guest:

        def again() -> None:
            guest.callLater(0, again)

        again()
        start = time.monotonic()
        assert stage.go_on() == 0
        assert time.monotonic() - start >= 0.01
        assert stage.watched is None
        assert stage.timers[0][0] == 0


def test_work_is_done_in_one_go_where_it_is_short() -> None:
    stage = Stage()
    done: list[int] = []
    with Guest(stage) as guest:

        def again() -> None:
            done.append(1)
            if len(done) < 5:
                guest.callLater(0, again)

        again()
        stage.go_on()
        assert len(done) == 5
        assert stage.watched is not None


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_who_ends_the_program_goes_through_a_turn(kind: type[BaseException]) -> None:
    stage = Stage()

    def end() -> None:
        raise kind

    with Guest(stage) as guest:
        guest.callLater(0, end)
        with pytest.raises(kind):
            stage.go_on()
        assert stage.watched is not None or stage.timers


def test_a_loop_in_a_handler_leaves_the_guest_waiting_for_it() -> None:
    stage = Stage()
    done: list[int] = []

    async def other() -> None:
        assert stage.go_on() == 0
        assert done == []

    with Guest(stage) as guest:
        guest.callLater(0, done.append, 1)
        asyncio.run(other())
        assert stage.go_on() > 0
        assert done == [1]
