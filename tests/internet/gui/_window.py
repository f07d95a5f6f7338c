"""A program's toolkit, as the tests use either."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Window(Protocol):
    """What the tests ask of it."""

    #: `tksupport` or `qtsupport`, and what it takes.
    support: Any
    root: Any

    def guest(self) -> AbstractContextManager[Any]: ...

    def after(self, ms: int, function: Callable[[], object]) -> None:
        """Have the toolkit call a function."""

    def run(self) -> None:
        """The toolkit's main loop, until `quit`."""

    def quit(self) -> None: ...

    def wait_until(self, when: Callable[[Callable[[], object]], object]) -> None:
        """A main loop within another, as of a dialog; `when` gets what ends it."""


class TkWindow:
    def __init__(self) -> None:
        import tkinter

        from reactorlib.internet import tksupport

        self.support = tksupport
        self.root = tkinter.Tk()
        self.run = self.root.mainloop
        self.quit = self.root.quit

    def guest(self) -> AbstractContextManager[Any]:
        return self.support.guest(self.root)

    def after(self, ms: int, function: Callable[[], object]) -> None:
        self.root.after(ms, function)

    def wait_until(self, when: Callable[[Callable[[], object]], object]) -> None:
        import tkinter

        ended = tkinter.BooleanVar(self.root)
        when(lambda: ended.set(True))
        self.root.wait_variable(ended)


class QtWindow:
    def __init__(self) -> None:
        from PySide6 import QtCore
        from PySide6.QtWidgets import QApplication

        from reactorlib.internet import qtsupport

        self.support = qtsupport
        self._core = QtCore
        self.root: Any = QApplication.instance() or QApplication([])
        self.quit = self.root.quit

    def guest(self) -> AbstractContextManager[Any]:
        return self.support.guest(self.root)

    def after(self, ms: int, function: Callable[[], object]) -> None:
        self._core.QTimer.singleShot(ms, function)

    def run(self) -> None:
        self.root.exec()

    def wait_until(self, when: Callable[[Callable[[], object]], object]) -> None:
        dialog = self._core.QEventLoop()
        when(dialog.quit)
        dialog.exec()
