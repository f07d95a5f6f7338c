"""What differs on Windows."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactorlib.python import win32


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


@given(st.lists(st.text(alphabet='a \t"\\')))
def test_a_program_gets_its_arguments(arguments: list[str]) -> None:
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
    with pytest.raises(ImportError, match="works on Windows only"):
        import reactorlib.python.shortcut  # noqa: F401
