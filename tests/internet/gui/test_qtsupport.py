"""What is Qt's own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reactorlib.internet import qtsupport

from ._window import QtWindow

pytestmark = pytest.mark.timeout(20)


def run(program: str) -> str:
    """What a program prints that runs by itself."""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    return ended.stdout


def test_the_application_need_not_be_given(qt: QtWindow) -> None:
    with qtsupport.guest() as guest:
        guest.callLater(0.001, qt.quit)
        qt.run()


def test_a_class_of_the_programs_own_is_an_application_too(qt: QtWindow) -> None:
    program = """
from PySide6.QtCore import QCoreApplication
from reactorlib.internet import qtsupport

class Application(QCoreApplication):
    pass

app = Application([])
with qtsupport.guest(app) as reactor:
    reactor.callWhenRunning(reactor.callLater, 0.01, app.quit)
    app.exec()
print("ended")
"""
    assert run(program) == "ended\n"


def test_what_is_no_application_is_refused() -> None:
    with pytest.raises(TypeError, match="not a QApplication"):
        qtsupport.guest(5)


def test_without_an_application_it_says_what_to_do() -> None:
    program = """
from reactorlib.internet import qtsupport
try:
    qtsupport.install()
except RuntimeError as error:
    print(error)
"""
    expected = "there is no Qt application: make a QApplication([]) first\n"
    assert run(program) == expected
