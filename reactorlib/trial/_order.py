"""In which order tests are run, and which of them belong to a file."""

from __future__ import annotations

import inspect
import os
import unittest
from collections.abc import Iterator
from typing import Any

__all__ = ["getTestModules", "isTestFile", "loadLocalVariables"]


def _maybeFindSourceLine(testThing: Any) -> Any:
    """
    Where something is in its file, to be sorted by: the line of a test's method, or of
    the first method of a class. Of anything else its name.
    """
    from reactorlib.trial._loader import name

    if isinstance(testThing, unittest.TestCase):
        method = getattr(testThing, getattr(testThing, "_testMethodName", "run"))
        return next(_lines([method]), -1)
    if isinstance(testThing, type):
        return min(_lines(vars(testThing).values()), default=-1)
    return name(testThing)


def _lines(functions: Any) -> Iterator[int]:
    for function in functions:
        code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
        if code is not None:
            yield code.co_firstlineno


def isTestFile(filename: str) -> bool:
    """Whether a file looks, by its name, as if tests were in it."""
    base = os.path.basename(filename)
    return base.startswith("test_") and base.endswith(".py")


def getTestModules(filename: str) -> list[str]:
    """The names of the modules with tests for what is in a file, as its first lines say."""
    names = loadLocalVariables(filename).get("test-case-name")
    return [] if names is None else [name.strip() for name in names.split(",") if name.strip()]


def loadLocalVariables(filename: str) -> dict[str, str]:
    """
    The variables that a file has for an editor in its first two lines.

    They are written as `-*- test-case-name: package.test.test_module -*-`.
    """
    with open(filename, encoding="utf-8", errors="replace") as file:
        lines = [file.readline(), file.readline()]
    for line in lines:
        try:
            return _parseLocalVariables(line)
        except ValueError:
            pass
    return {}


def _parseLocalVariables(line: str) -> dict[str, str]:
    """
    The variables in a line.

    Raises:
        ValueError: there are none, or they are malformed.
    """
    begin = line.find("-*-")
    end = line.find("-*-", begin + 3)
    if begin < 0 or end < 0:
        raise ValueError(f"there are no variables between -*- and -*- in {line!r}")
    variables = {}
    for item in line[begin + 3 : end].split(";"):
        if not item.strip():
            continue
        parts = item.split(":")
        if len(parts) != 2:
            raise ValueError(f"a variable is a name, a colon and a value, and not {item!r}")
        variables[parts[0].strip()] = parts[1].strip()
    return variables
