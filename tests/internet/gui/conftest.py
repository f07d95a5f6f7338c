"""
The toolkits: Tk on a virtual screen, Qt on none.

Each test that takes `window` runs once with either, or is skipped with a reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from ._window import QtWindow, TkWindow, Window


@pytest.fixture(scope="session")
def screen() -> Iterator[None]:
    """A virtual screen of our own for what is drawn."""
    if shutil.which("Xvfb") is None:
        pytest.skip("needs Xvfb, a virtual screen: apt-get install xvfb")
    ours, theirs = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        pass_fds=[theirs],
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    with os.fdopen(ours) as numbers:
        number = numbers.readline().strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPLAY", f":{number}")
        yield
    server.terminate()
    server.wait(10)


@pytest.fixture
def tk(screen: None) -> Iterator[TkWindow]:
    tkinter = pytest.importorskip("tkinter", reason="this Python was built without Tk")
    window = TkWindow()
    yield window
    try:
        window.root.destroy()
    except tkinter.TclError:
        pass  # the test has done so


@pytest.fixture
def qt(monkeypatch: pytest.MonkeyPatch) -> QtWindow:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)
    return QtWindow()


@pytest.fixture(params=["tk", "qt"])
def window(request: pytest.FixtureRequest) -> Window:
    found: Window = request.getfixturevalue(request.param)
    return found
