"""What is Tk's own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from reactorlib.internet import reactor, tksupport
from reactorlib.internet.defer import Deferred

from ._window import TkWindow

pytestmark = pytest.mark.timeout(20)


def test_closing_the_window_ends_the_program(tk: TkWindow) -> None:
    with tk.guest() as guest:
        guest.callLater(60, pytest.fail, "the window was closed")
        guest.callLater(0.001, tk.root.destroy)
        tk.run()
        assert len(guest.getDelayedCalls()) == 1
    assert guest.getDelayedCalls() == []


def test_the_window_is_drawn_while_the_loop_is_busy(tk: TkWindow) -> None:
    """Tk draws in what it calls when idle."""

    def again() -> None:
        reactor.callLater(0, again)

    with tk.guest():
        again()
        tk.root.after_idle(tk.quit)
        tk.run()
        tk.root.after(20, lambda: tk.root.after_idle(tk.quit))
        tk.run()


async def test_closing_an_installed_window_ends_the_looking(tk: TkWindow) -> None:
    tk.support.install(tk.root, ms=1)
    closed: Deferred[None] = Deferred()

    def close() -> None:
        tk.root.destroy()
        closed.callback(None)

    tk.root.after(1, close)
    await closed
    while reactor.getDelayedCalls():
        await asyncio.sleep(0)
    tk.support.uninstall()


@pytest.mark.parametrize(
    ("confirm", "typed", "expected", "complaints"),
    [
        (False, ["one"], "one", 0),
        (True, ["one", "one"], "one", 0),
        (True, ["one", "two", "three", "three"], "three", 1),
        (False, [None], None, 0),
        (True, [None], None, 0),
    ],
)
def test_getPassword(
    monkeypatch: pytest.MonkeyPatch,
    confirm: bool,
    typed: list[str | None],
    expected: str | None,
    complaints: int,
) -> None:
    pytest.importorskip("tkinter", reason="this Python was built without Tk")
    from tkinter import messagebox, simpledialog

    complained: list[Any] = []

    def ask(title: str, prompt: str, show: str) -> str | None:
        assert show == "*"
        return typed.pop(0)

    monkeypatch.setattr(simpledialog, "askstring", ask)
    monkeypatch.setattr(messagebox, "showerror", lambda *args: complained.append(args))
    assert tksupport.getPassword("Password: ", confirm) == expected
    assert typed == []
    assert len(complained) == complaints


def test_importing_it_does_not_need_tkinter() -> None:
    program = (
        "import sys; sys.modules['tkinter'] = sys.modules['_tkinter'] = None; "
        "import reactorlib.internet.tksupport, reactorlib.internet.qtsupport"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=20)
