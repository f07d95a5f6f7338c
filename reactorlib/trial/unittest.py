"""
Test cases that may wait for Deferreds and coroutines.

They are `unittest.TestCase`s of the standard library's: pytest finds and runs
them as they are, and so does `python -m unittest`.
"""

from reactorlib.trial._asyncrunner import TestDecorator, TestSuite, decorate
from reactorlib.trial._asynctest import TestCase
from reactorlib.trial._outcomes import FailTest, PyUnitResultAdapter, SkipTest, Todo, makeTodo
from reactorlib.trial._synctest import SynchronousTestCase

__all__ = [
    "FailTest",
    "PyUnitResultAdapter",
    "SkipTest",
    "SynchronousTestCase",
    "TestCase",
    "TestDecorator",
    "TestSuite",
    "Todo",
    "decorate",
    "makeTodo",
]
