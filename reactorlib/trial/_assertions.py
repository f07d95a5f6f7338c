"""What a test can claim."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any, NoReturn

from reactorlib.internet.defer import Deferred, ensureDeferred
from reactorlib.python.failure import Failure
from reactorlib.trial._outcomes import FailTest

__all__ = ["Assertions"]


class _Raises:
    """
    The context manager of `assertRaises`.

    Attributes:
        exception: what was raised.
    """

    def __init__(self, test: Assertions, expected: Any) -> None:
        self._test, self._expected = test, expected
        self._returned: object = None  # by the call, which has raised nothing

    @property
    def exception(self) -> Any:
        """What was raised; an AttributeError before the end of the block."""
        try:
            return self._exception
        except AttributeError:
            raise AttributeError("nothing has been raised yet: the block is not over") from None

    def __enter__(self) -> _Raises:
        return self

    def __exit__(self, kind: Any, value: Any, tb: Any) -> bool:
        __tracebackhide__ = True
        names = _names(self._expected)
        if kind is None:
            self._test.fail(f"{names} not raised ({self._returned!r} returned)")
        if not issubclass(kind, self._expected):
            text = Failure(value, kind, tb).getTraceback()
            raise self._test.failureException(
                f"{kind} raised instead of {names}:\n {text}"
            ) from value
        self._exception = value
        return True


def _names(expected: Any) -> str:
    """The names of an exception, or of several, as they are written."""
    if isinstance(expected, tuple):
        return "(" + ", ".join(map(_names, expected)) + ")"
    return str(expected.__name__)


class Assertions(unittest.TestCase):
    """The assertions that Twisted has beside those of `unittest`, under each of their names."""

    failureException = FailTest
    longMessage = True

    def fail(self, msg: object = None) -> NoReturn:
        """Fail the test."""
        raise self.failureException(msg)

    def assertTrue(self, condition: Any, msg: object = None) -> Any:
        """Claim that it is true; it is returned."""
        super().assertTrue(condition, msg)
        return condition

    def assertFalse(self, condition: Any, msg: object = None) -> Any:
        """Claim that it is false; it is returned."""
        super().assertFalse(condition, msg)
        return condition

    def assertEqual(self, first: Any, second: Any, msg: object = None) -> Any:
        """Claim that two are equal; the first is returned."""
        super().assertEqual(first, second, msg)
        return first

    def assertNotEqual(self, first: Any, second: Any, msg: object = None) -> Any:
        """Claim that two are not equal; the first is returned."""
        super().assertNotEqual(first, second, msg)
        return first

    def assertIs(self, first: Any, second: Any, msg: object = None) -> Any:
        """Claim that two are one object; it is returned."""
        super().assertIs(first, second, msg)
        return first

    def assertIsNot(self, first: Any, second: Any, msg: object = None) -> Any:
        """Claim that two are not one object; the first is returned."""
        super().assertIsNot(first, second, msg)
        return first

    def assertIn(self, containee: Any, container: Any, msg: object = None) -> Any:
        """Claim that one is in the other; it is returned."""
        super().assertIn(containee, container, msg)
        return containee

    def assertNotIn(self, containee: Any, container: Any, msg: object = None) -> Any:
        """Claim that one is not in the other; it is returned."""
        super().assertNotIn(containee, container, msg)
        return containee

    def assertAlmostEqual(
        self, first: Any, second: Any, places: Any = None, msg: object = None, delta: Any = None
    ) -> Any:
        """Claim that two are equal to 7 places, or `places`, or differ by `delta` at most."""
        super().assertAlmostEqual(first, second, places, msg, delta)
        return first

    def assertNotAlmostEqual(
        self, first: Any, second: Any, places: Any = None, msg: object = None, delta: Any = None
    ) -> Any:
        """Claim the contrary of `assertAlmostEqual`."""
        super().assertNotAlmostEqual(first, second, places, msg, delta)
        return first

    def assertApproximates(
        self, first: Any, second: Any, tolerance: Any, msg: object = None
    ) -> Any:
        """Claim that two differ by `tolerance` at most; the first is returned."""
        if abs(first - second) > tolerance:
            self.fail(msg or f"{first} ~== {second}")
        return first

    def assertSubstring(self, substring: Any, astring: Any, msg: object = None) -> Any:
        """Claim that one text is part of the other."""
        return self.assertIn(substring, astring, msg)

    def assertNotSubstring(self, substring: Any, astring: Any, msg: object = None) -> Any:
        """Claim that one text is not part of the other."""
        return self.assertNotIn(substring, astring, msg)

    def assertIsInstance(self, instance: Any, classOrTuple: Any, message: object = None) -> None:
        """Claim that it is an instance of a class, or of one of several."""
        super().assertIsInstance(instance, classOrTuple, message)

    def assertNotIsInstance(self, instance: Any, classOrTuple: Any, msg: object = None) -> None:
        """Claim that it is no instance of a class, nor of any of several."""
        super().assertNotIsInstance(instance, classOrTuple, msg)

    def assertRaises(  # type: ignore[override]  # it returns what was raised, as in Twisted
        self, exception: Any, f: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        """
        Claim that a call raises an exception, which is returned.

        Without a call it is a context manager, whose `exception` it is.
        """
        context = _Raises(self, exception)
        if f is None:
            return context
        with context:
            context._returned = f(*args, **kwargs)
        return context.exception

    def assertWarns(  # type: ignore[override]  # it takes what Twisted's does, too
        self,
        category: Any,
        message: Any = None,
        filename: Any = None,
        f: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """
        Claim that a call gives exactly one warning, with that text, at a line of that file.

        What the call returns is returned. With anything but a text as `message`, it
        is `assertWarns` of the standard library's `unittest`.
        """
        if not isinstance(message, str):
            given = [one for one in (message, filename, f) if one is not None]
            return super().assertWarns(category, *given, *args, **kwargs)
        from reactorlib.trial._warned import Warned, collect_warnings

        seen: list[Warned] = []
        result = collect_warnings(seen.append, f, *args, **kwargs)
        if not seen:
            self.fail("no warning was given")
        first = seen[0]
        if any(other != first for other in seen[1:]):
            self.fail(f"different warnings were given: {seen}")
        self.assertEqual(first.message, message)
        self.assertIs(first.category, category)
        self.assertTrue(
            filename.startswith(first.filename) or first.filename == filename.removesuffix("c"),
            f"the warning is from {first.filename}, not {filename}",
        )
        return result

    # -- Deferreds ------------------------------------------------------------

    def successResultOf(self, deferred: Any) -> Any:
        """
        The result of a Deferred, or coroutine, that has one.

        Fails the test if it has none, or a Failure.
        """
        deferred = ensureDeferred(deferred)
        results = self._results_of(deferred)
        if not results:
            self.fail(f"Success result expected on {deferred!r}, found no result instead")
        if isinstance(results[0], Failure):
            self.fail(
                f"Success result expected on {deferred!r}, found failure result instead:\n"
                f"{results[0].getTraceback()}"
            )
        return results[0]

    def failureResultOf(self, deferred: Any, *expectedExceptionTypes: type[BaseException]) -> Any:
        """
        The Failure of a Deferred, or coroutine, that has one.

        Fails the test if it has none, or one of another type.
        """
        deferred = ensureDeferred(deferred)
        results = self._results_of(deferred)
        if not results:
            self.fail(f"Failure result expected on {deferred!r}, found no result instead")
        failure = results[0]
        if not isinstance(failure, Failure):
            self.fail(
                f"Failure result expected on {deferred!r}, "
                f"found success result ({failure!r}) instead"
            )
        if expectedExceptionTypes and not failure.check(*expectedExceptionTypes):
            names = " or ".join(f"{t.__module__}.{t.__qualname__}" for t in expectedExceptionTypes)
            self.fail(
                f"Failure of type ({names}) expected on {deferred!r}, "
                f"found type {failure.type!r} instead: {failure.getTraceback()}"
            )
        return failure

    def assertNoResult(self, deferred: Any) -> None:
        """
        Claim that a Deferred, or coroutine, has no result yet.

        It keeps the one it gets later; a Failure that it has counts as handled.
        """
        deferred = ensureDeferred(deferred)
        results: list[Any] = []

        def keep(result: Any) -> Any:
            results.append(result)
            return None if isinstance(result, Failure) and checking else result

        checking = True
        deferred.addBoth(keep)
        checking = False
        if results:
            self.fail(f"No result expected on {deferred!r}, found {results[0]!r} instead")

    @staticmethod
    def _results_of(deferred: Deferred[Any]) -> list[Any]:
        results: list[Any] = []
        deferred.addBoth(results.append)
        return results

    failUnlessEqual = failUnlessEquals = assertEquals = assertEqual
    failIfEqual = failIfEquals = assertNotEquals = assertNotEqual
    failUnlessAlmostEqual = assertAlmostEquals = assertAlmostEqual
    failIfAlmostEqual = failIfAlmostEquals = assertNotAlmostEquals = assertNotAlmostEqual
    assert_ = failUnless = failUnlessTrue = assertTrue  # type: ignore[assignment]  # as in Twisted
    assertNot = failIf = failUnlessFalse = assertFalse  # type: ignore[assignment]  # as in Twisted
    assertIdentical = failUnlessIdentical = assertIs
    assertNotIdentical = failIfIdentical = assertIsNot
    failUnlessIn = assertIn
    failIfIn = assertNotIn
    failUnlessApproximates = assertApproximates
    failUnlessSubstring = assertSubstring
    failIfSubstring = assertNotSubstring
    failUnlessIsInstance = assertIsInstance
    failIfIsInstance = assertNotIsInstance
    failUnlessRaises = assertRaises  # type: ignore[assignment]  # as in Twisted
    failUnlessWarns = assertWarns
