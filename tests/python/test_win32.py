"""What differs on Windows."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reactorlib.python import shortcut, win32


def taken_apart(line: str) -> list[str]:
    """
    The arguments of a command line, as the C library of Windows takes it apart.

    https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    """
    arguments: list[str] = []
    argument: str | None = None
    quoted, at = False, 0
    while at < len(line):
        slashes = len(line) - at - len(line[at:].lstrip("\\"))
        at += slashes
        if slashes:
            argument = argument or ""
            if line[at : at + 1] == '"':
                argument += "\\" * (slashes // 2)
                if slashes % 2:
                    argument += '"'
                    at += 1
            else:
                argument += "\\" * slashes
        elif line[at] == '"':
            argument, quoted, at = argument or "", not quoted, at + 1
        elif line[at] in " \t" and not quoted:
            if argument is not None:
                arguments.append(argument)
            argument, at = None, at + 1
        else:
            argument, at = (argument or "") + line[at], at + 1
    return arguments if argument is None else [*arguments, argument]


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("an_argument", "an_argument"),
        ("An Argument", '"An Argument"'),
        ("", '""'),
        ('say "hi"', r'"say \"hi\""'),
        ("a\\b", "a\\b"),
        ("C:\\a b\\", '"C:\\a b\\\\"'),
    ],
)
def test_arguments_are_quoted(argument: str, quoted: str) -> None:
    assert win32.cmdLineQuote(argument) == quoted


@pytest.mark.parametrize("length", range(6))
def test_a_program_gets_its_arguments(length: int) -> None:
    """Whatever they consist of, and whatever comes behind them."""
    for letters in itertools.product('a "\\', repeat=length):
        arguments = ["".join(letters), "", "b\\"]
        assert taken_apart(win32.quoteArguments(arguments)) == arguments


def test_texts_of_errors() -> None:
    assert win32.formatError(2) == os.strerror(2)


@pytest.mark.parametrize("name", ["WindowsError", "FakeWindowsError"])
def test_the_error_of_windows(name: str) -> None:
    with pytest.warns(DeprecationWarning, match="Catch OSError and check presence of 'winerror'"):
        assert issubclass(getattr(win32, name), OSError)


def test_constants() -> None:
    assert getattr(os, "O_BINARY", 0) == win32.O_BINARY
    with pytest.raises(AttributeError, match="nothing"):
        win32.nothing  # noqa: B018


@pytest.mark.skipif(sys.platform == "win32", reason="there they work")
def test_shortcuts_are_for_windows() -> None:
    makers: list[Callable[[], object]] = [shortcut.Shortcut, lambda: shortcut.open("x.lnk")]
    for make in makers:
        with pytest.raises(NotImplementedError, match="works on Windows only"):
            make()


def test_a_shortcut_is_that_of_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for pywin32 is told everything, where that of Windows would be."""
    told: list[Any] = []

    class Link:
        def QueryInterface(self, interface: str) -> Link:
            return self

        def __getattr__(self, name: str) -> Any:
            return lambda *args: told.append((name, *args))

    def create(*args: Any) -> Link:
        told.append(args)
        return Link()

    com = SimpleNamespace(CoCreateInstance=create, CLSCTX_INPROC_SERVER=1, IID_IPersistFile="file")
    shell = SimpleNamespace(CLSID_ShellLink="class", IID_IShellLink="link")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "pythoncom", com)
    monkeypatch.setitem(sys.modules, "win32com.shell", SimpleNamespace(shell=shell))
    monkeypatch.setitem(sys.modules, "win32com", SimpleNamespace(shell=shell))
    monkeypatch.chdir(tmp_path)
    made = shortcut.Shortcut("p", "a", "d", "w", "i", 3)
    made.save("x.lnk")
    shortcut.open("y.lnk").SetHotkey(5)
    here = os.getcwd()
    link = ("class", None, 1, "link")
    assert told == [
        link,
        ("SetPath", f"{here}/p"),
        ("SetArguments", "a"),
        ("SetDescription", "d"),
        ("SetWorkingDirectory", f"{here}/w"),
        ("SetIconLocation", f"{here}/i", 3),
        ("Save", f"{here}/x.lnk", 0),
        link,
        ("Load", f"{here}/y.lnk"),
        ("SetHotkey", 5),
    ]
