"""
Tk and the reactor in one program.

In one direction the reactor runs, and looks after a window now and then:

    tksupport.install(root)
    reactor.run()

This works in any loop, and is Twisted's way. In the other one Tk's own main loop
runs, the reactor is its guest, and nobody polls:

    with tksupport.guest(root) as reactor:
        root.mainloop()
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from reactorlib.internet._guest import Guest
from reactorlib.internet.task import LoopingCall

if TYPE_CHECKING:
    import tkinter

__all__ = ["getPassword", "guest", "install", "uninstall"]

_updating: LoopingCall | None = None


def install(widget: tkinter.Misc, ms: float = 10, reactor: Any = None) -> None:
    """
    Keep a window alive while the reactor runs.

    Do not call Tk's `mainloop()` then. The end of the program is `reactor.stop()`,
    also when the window is closed: `root.protocol("WM_DELETE_WINDOW", reactor.stop)`.

    Args:
        widget: the `Tk` object, or any widget of it.
        ms: how often to look after it: milliseconds.
        reactor: the `IReactorTime` to do so with; the reactor of the loop by default.

    Raises:
        RuntimeError: one is installed already.
    """
    global _updating
    if _updating is not None:
        raise RuntimeError("a Tk window is installed already; uninstall() it first")

    def update() -> None:
        if _exists(widget):
            widget.update()
        else:
            updating.stop()

    updating = LoopingCall(update)
    if reactor is not None:
        updating.clock = reactor
    _updating = updating
    updating.start(ms / 1000, now=False).addBoth(_ended, updating)


def _ended(result: object, updating: LoopingCall) -> object:
    global _updating
    if _updating is updating:
        _updating = None
    return result


def uninstall() -> None:
    """
    Look after the window no more. It may be destroyed then, and another installed.

    Nothing happens if there is none.
    """
    if _updating is not None and _updating.running:
        _updating.stop()


def guest(widget: tkinter.Misc) -> Guest:
    """
    Let the reactor run in Tk's main loop: `with guest(root): root.mainloop()`.

    The context manager gives the reactor, attached to a loop of its own. What Tk
    calls, as the command of a button, may use it; a coroutine is begun there by
    `deferLater(reactor, 0, coroutine_function)`, since the loop itself runs only in
    its turns. At the end, which is yours (`root.quit()`, or the window closed),
    ports, connections and tasks are closed.

    Args:
        widget: the `Tk` object, or any widget of it.

    Raises:
        ReactorAlreadyRunning: on entering: a loop runs here; use `install` in it.
        NotImplementedError: on entering: the system can watch no selector.
    """
    return Guest(_Tk(widget))


def getPassword(prompt: str = "", confirm: bool | int = 0) -> str | None:
    """
    Ask for a password in a window, and wait.

    Args:
        prompt: what to ask.
        confirm: whether to have it typed twice, until both are the same.

    Returns:
        the password, or None if the window was closed.
    """
    from tkinter import messagebox, simpledialog

    while True:
        first = simpledialog.askstring("Password Dialog", prompt, show="*")
        if not confirm or first is None:
            return first
        if first == simpledialog.askstring("Password Dialog", "Confirm Password", show="*"):
            return first
        messagebox.showerror("Password Mismatch", "Passwords did not match, starting over")


def _exists(widget: tkinter.Misc) -> bool:
    import tkinter

    try:
        return bool(widget.winfo_exists())
    except tkinter.TclError:
        return False


class _Tk:
    """
    Tk as a loop's host, by the calls beneath `after()`, which would catch Ctrl-C.

    The window may be gone, and then nothing is called any more.
    """

    ended_by: BaseException | None = None  # it goes through `mainloop()`

    def __init__(self, widget: tkinter.Misc) -> None:
        self._tk = widget.tk
        self._watched = False

    def watch(self, fd: int, ready: Callable[[], object]) -> None:
        import tkinter

        self._watched = True
        self._tk.createfilehandler(fd, tkinter.READABLE, lambda *_: ready())

    def unwatch(self, fd: int) -> None:
        if self._watched:
            self._watched = False
            self._tk.deletefilehandler(fd)

    def after(self, seconds: float, function: Callable[[], object]) -> Any:
        # At least 1 ms: Tk draws when no event waits, and one that is due now does.
        return self._tk.createtimerhandler(max(1, math.ceil(seconds * 1000)), function)

    def cancel(self, timer: Any) -> None:
        timer.deletetimerhandler()
