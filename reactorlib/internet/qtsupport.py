"""
Qt and the reactor in one program, with PySide6 or PyQt6.

In one direction the reactor runs, and looks after the windows now and then:

    qtsupport.install(app)
    reactor.run()

In the other one Qt's own main loop runs, the reactor is its guest, and nobody
polls:

    with qtsupport.guest(app) as reactor:
        app.exec()
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from reactorlib.internet._guest import Guest
from reactorlib.internet.task import LoopingCall

__all__ = ["guest", "install", "uninstall"]

#: Where a `QCoreApplication` may come from.
_BINDINGS = ("PySide6", "PyQt6", "PySide2", "PyQt5")

_processing: LoopingCall | None = None


def install(app: Any = None, ms: float = 10, reactor: Any = None) -> None:
    """
    Keep Qt alive while the reactor runs.

    Do not call `app.exec()` then. The end of the program is `reactor.stop()`, also
    when the last window is closed: `app.lastWindowClosed.connect(reactor.stop)`.

    Args:
        app: the `QApplication`; by default the one that there is.
        ms: how often to look after it: milliseconds.
        reactor: the `IReactorTime` to do so with; the reactor of the loop by default.

    Raises:
        RuntimeError: it is installed already, or there is no application.
    """
    global _processing
    if _processing is not None:
        raise RuntimeError("Qt is installed already; uninstall() it first")
    app, _ = _application(app)
    processing = LoopingCall(app.processEvents)
    if reactor is not None:
        processing.clock = reactor
    _processing = processing
    processing.start(ms / 1000, now=False).addBoth(_ended, processing)


def _ended(result: object, processing: LoopingCall) -> object:
    global _processing
    if _processing is processing:
        _processing = None
    return result


def uninstall() -> None:
    """Look after Qt no more. Nothing happens if it is not installed."""
    if _processing is not None and _processing.running:
        _processing.stop()


def guest(app: Any = None) -> Guest:
    """
    Let the reactor run in Qt's main loop: `with guest(app): app.exec()`.

    The context manager gives the reactor, attached to a loop of its own. What Qt
    calls, as the slot of a button, may use it; a coroutine is begun there by
    `deferLater(reactor, 0, coroutine_function)`, since the loop itself runs only in
    its turns. At the end, which is yours (`app.quit()`, or the last window closed),
    ports, connections and tasks are closed.

    Args:
        app: the `QApplication`; by default the one that there is.

    Raises:
        RuntimeError: there is no application.
        ReactorAlreadyRunning: on entering: a loop runs here; use `install` in it.
        NotImplementedError: on entering: the system can watch no selector.
    """
    _, core = _application(app)
    return Guest(_Qt(core))


def _application(app: Any) -> tuple[Any, Any]:
    """The application, and the module QtCore that it is from."""
    if app is not None:
        for kind in type(app).__mro__:
            binding, _, leaf = kind.__module__.partition(".")
            if leaf in ("QtWidgets", "QtGui", "QtCore"):
                return app, import_module(f"{binding}.QtCore")
        raise TypeError(f"{app!r} is not a QApplication of {', '.join(_BINDINGS)}")
    for binding in _BINDINGS:
        core = sys.modules.get(f"{binding}.QtCore")
        app = None if core is None else core.QCoreApplication.instance()
        if app is not None:
            return app, core
    raise RuntimeError("there is no Qt application: make a QApplication([]) first")


class _Qt:
    """Qt as a loop's host: one notifier and one timer, switched on and off."""

    def __init__(self, core: Any) -> None:
        self.ended_by: BaseException | None = None
        self._core = core
        self._notifier: Any = None
        self._timer: Any = None

    def watch(self, fd: int, ready: Callable[[], object]) -> None:
        if self._notifier is None:
            self._notifier = self._core.QSocketNotifier(fd, self._core.QSocketNotifier.Type.Read)
            self._notifier.activated.connect(lambda *_: self._call(ready))
        self._notifier.setEnabled(True)

    def unwatch(self, fd: int) -> None:
        if self._notifier is not None:
            self._notifier.setEnabled(False)

    def after(self, seconds: float, function: Callable[[], object]) -> Any:
        if self._timer is None:
            self._timer = self._core.QTimer()
            self._timer.setSingleShot(True)
            self._timer.setTimerType(self._core.Qt.TimerType.PreciseTimer)
            self._timer.timeout.connect(lambda: self._call(function))
        self._timer.start(math.ceil(seconds * 1000))
        return self._timer

    def cancel(self, timer: Any) -> None:
        timer.stop()

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except (KeyboardInterrupt, SystemExit) as exception:
            # From a slot the one would go nowhere, and the other end the process now.
            self.ended_by = exception
            self._core.QCoreApplication.exit(1)
