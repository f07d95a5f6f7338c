"""An exception as a value."""

from __future__ import annotations

import io
import pickle
import traceback
from collections.abc import Callable, Generator
from typing import Any

import pytest

from reactorlib.internet.defer import CancelledError, succeed
from reactorlib.internet.error import ConnectionLost
from reactorlib.python.failure import Failure, NoCurrentExceptionError, format_frames


class Boom(Exception):
    pass


class LouderBoom(Boom):
    pass


def raise_it(error: BaseException) -> None:
    raise error


def caught(error: BaseException, captureVars: bool = False) -> Failure:
    """A Failure made where `error` is being handled."""
    try:
        raise_it(error)
    except BaseException:
        return Failure(captureVars=captureVars)
    raise AssertionError


# -- making one ---------------------------------------------------------------


def test_it_takes_the_exception_that_is_being_handled() -> None:
    error = Boom()
    failure = caught(error)
    assert failure.value is error
    assert failure.type is Boom
    assert [frame[0] for frame in failure.frames] == ["caught", "raise_it"]


def test_it_takes_an_exception() -> None:
    error = Boom()
    failure = Failure(error)
    assert (failure.value, failure.type, failure.tb) == (error, Boom, None)
    assert failure.frames == []


def test_it_takes_the_parts_of_an_exception() -> None:
    error = LouderBoom()
    tb = caught(Boom()).tb
    failure = Failure(error, Boom, tb)
    assert (failure.value, failure.type, failure.tb) == (error, Boom, tb)


def test_a_failure_of_a_failure_is_the_same_failure() -> None:
    first = caught(Boom())
    second = Failure(first)
    assert (second.value, second.type, second.tb) == (first.value, first.type, first.tb)


def test_without_an_exception_there_is_none() -> None:
    with pytest.raises(NoCurrentExceptionError):
        Failure()


@pytest.mark.parametrize("thing", ["text", 0, Boom])
def test_only_an_exception_makes_one(thing: Any) -> None:
    with pytest.raises(TypeError):
        Failure(thing)


def test_its_attributes_are_in_its_dictionary() -> None:
    failure = caught(Boom())
    failure.extra = 1  # type: ignore[attr-defined]  # any attribute, as of most objects
    assert vars(failure) == {
        "value": failure.value,
        "type": Boom,
        "tb": failure.tb,
        "count": failure.count,
        "extra": 1,
    }


def test_they_are_counted() -> None:
    first, second = Failure(Boom()), Failure(Boom())
    assert second.count > first.count


# -- what it is ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((Boom,), Boom),
        ((LouderBoom,), LouderBoom),
        ((KeyError, Boom, LouderBoom), Boom),
        ((Exception,), Exception),
        ((KeyError,), None),
        ((), None),
        (("builtins.Exception",), "builtins.Exception"),
        ((f"{__name__}.Boom",), f"{__name__}.Boom"),
        (("Boom", "builtins.KeyError"), None),
    ],
)
def test_check_and_trap(wanted: tuple[Any, ...], found: Any) -> None:
    failure = caught(LouderBoom())
    assert failure.check(*wanted) == found
    if found is None:
        with pytest.raises(LouderBoom):
            failure.trap(*wanted)
    else:
        assert failure.trap(*wanted) == found


@pytest.mark.parametrize("package", ["twisted", "reactorlib"])
def test_a_name_is_one_that_a_module_has_the_class_by(package: str) -> None:
    """One class can have several, and code for Twisted says Twisted's."""
    cancelled = Failure(CancelledError())
    wanted = f"{package}.internet.defer.CancelledError"
    assert cancelled.trap(wanted) == wanted
    assert Failure(ConnectionLost()).check(f"{package}.internet.error.ConnectionClosed")
    assert not Failure(ConnectionLost()).check(f"{package}.internet.error.ConnectionDone")
    assert not cancelled.check(
        f"{package}.internet.defer.Never",
        f"{package}.internet.defer.logger",
        f"{package}.never.CancelledError",
        "CancelledError",
        "",
    )


def test_a_trapped_failure_goes_on_to_the_next_errback() -> None:
    seen: list[Any] = []

    def expects_a_KeyError(failure: Failure) -> None:
        seen.append("first")
        failure.trap(KeyError)

    def raise_boom(_: object) -> None:
        raise Boom

    d = succeed(None).addCallback(raise_boom).addErrback(expects_a_KeyError)
    d.addErrback(lambda failure: seen.append(failure.trap(Boom)))
    assert seen == ["first", Boom]


def test_a_class_is_known_by_a_name_among_parents_that_were_set() -> None:
    """As of what has come from another process, of which only names are known."""

    class Copied(Failure):
        def __init__(self, parents: list[str]) -> None:
            self.type = type("Remote", (), {})
            self.value = "in words"  # type: ignore[assignment]
            self.tb = None
            self.parents = parents

    copied = Copied(["builtins.KeyError", "builtins.LookupError"])
    assert copied.check(OSError, LookupError) is LookupError
    assert copied.trap(KeyError) is KeyError
    assert copied.check("builtins.KeyError") == "builtins.KeyError"
    assert copied.check(OSError) is None


def test_parents_are_the_names_of_the_classes() -> None:
    failure = Failure(LouderBoom())
    assert failure.parents == [
        f"{__name__}.LouderBoom",
        f"{__name__}.Boom",
        "builtins.Exception",
        "builtins.BaseException",
        "builtins.object",
    ]


# -- back to an exception -----------------------------------------------------


def test_raiseException_raises_with_the_traceback_it_had() -> None:
    failure = caught(Boom())
    for _ in range(2):
        with pytest.raises(Boom) as info:
            failure.raiseException()
        names = [frame.name for frame in traceback.extract_tb(info.value.__traceback__)]
        assert names[-2:] == ["caught", "raise_it"]
        assert names.count("caught") == 1


def test_it_can_be_thrown_into_a_generator() -> None:
    failure = caught(Boom())

    def generator() -> Generator[str, None, None]:
        with pytest.raises(Boom) as info:
            yield "ready"
        yield "caught" if info.value is failure.value else "another"

    g = generator()
    assert next(g) == "ready"
    assert failure.throwExceptionIntoGenerator(g) == "caught"


def test_notes_causes_and_groups_survive() -> None:
    error = Boom("outer")
    error.add_note("a note")
    error.__cause__ = KeyError("the cause")
    text = Failure(error).getTraceback()
    assert "a note" in text
    assert "KeyError: 'the cause'" in text
    group = ExceptionGroup("several", [Boom("one"), Boom("two")])
    text = Failure(group).getTraceback()
    assert "Boom: one" in text
    assert "Boom: two" in text
    assert Failure(group).value is group


# -- as text ------------------------------------------------------------------


def test_the_traceback_as_python_prints_it() -> None:
    text = caught(Boom("why")).getTraceback()
    assert text.startswith("Traceback (most recent call last):\n")
    assert "in raise_it\n    raise error\n" in text
    assert text.endswith(f"{__name__}.Boom: why\n")


def test_the_name_of_a_builtin_error_has_its_module() -> None:
    assert caught(KeyError("k")).getTraceback().endswith("builtins.KeyError: 'k'\n")


def test_the_brief_form_has_a_line_for_each_frame() -> None:
    first, *lines = caught(Boom("why")).getBriefTraceback().splitlines()
    assert first == f"Traceback: {Boom!r}: why"
    assert [line.rsplit(":", 1)[1] for line in lines] == ["caught", "raise_it"]
    assert all(line.startswith(__file__) for line in lines)


def test_the_verbose_form_has_the_variables_if_they_were_captured() -> None:
    without = caught(Boom()).getTraceback(detail="verbose")
    assert "[Capture of Locals and Globals disabled (use captureVars=True)]" in without
    captured = caught(Boom("why"), captureVars=True)
    text = captured.getTraceback(detail="verbose")
    assert "  error : Boom('why')\n" in text
    assert text.startswith(f"*--- Failure #{captured.count} ---\n")
    assert text.endswith(f"*--- End of Failure #{captured.count} ---\n")


@pytest.mark.parametrize(
    ("method", "detail"),
    [
        ("printTraceback", "default"),
        ("printBriefTraceback", "brief"),
        ("printDetailedTraceback", "verbose"),
    ],
)
def test_printing_writes_the_same(
    method: str, detail: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = caught(Boom())
    file = io.StringIO()
    getattr(failure, method)(file)
    getattr(failure, method)()
    assert file.getvalue() == capsys.readouterr().err == failure.getTraceback(detail=detail)


def test_our_own_frames_can_be_left_out() -> None:
    """And at most one of ours is there for each hop."""

    def raise_boom(_: object) -> None:
        raise Boom

    seen: list[Failure] = []
    succeed(None).addCallback(raise_boom).addErrback(seen.append)
    try:
        seen[0].raiseException()
    except Boom:
        failure = Failure()
    assert "failure.py" in failure.getTraceback()
    text = failure.getTraceback(elideFrameworkCode=True)
    assert "in raise_boom" in text
    assert "failure.py" not in text.replace(__file__, "")


def test_an_error_that_cannot_be_shown_is_shown_nevertheless() -> None:
    class Unshowable(Exception):
        def __str__(self) -> str:
            raise ValueError

    failure = caught(Unshowable())
    assert "str() raises ValueError" in failure.getErrorMessage()
    for text in (repr(failure), str(failure), failure.getTraceback()):
        assert "Unshowable" in text


def test_repr_and_str() -> None:
    failure = caught(Boom("why"))
    assert repr(failure) == f"<reactorlib.python.failure.Failure {__name__}.Boom: why>"
    assert str(failure) == f"[Failure instance: {failure.getBriefTraceback()}]"
    assert failure.getErrorMessage() == "why"


def test_frames_can_be_formatted_apart() -> None:
    written: list[str] = []
    format_frames([("name", "file.py", 3, (), ())], written.append, "brief")
    assert written == ["file.py:3:name\n"]
    with pytest.raises(ValueError, match="detail"):
        format_frames([], written.append, "long")


# -- outliving the traceback --------------------------------------------------


def test_cleaning_lets_the_frames_go_and_keeps_what_they_say() -> None:
    failure = caught(Boom("why"), captureVars=True)
    before = failure.getBriefTraceback()
    failure.cleanFailure()
    assert failure.tb is None
    assert failure.value.__traceback__ is None
    assert failure.getBriefTraceback() == before
    assert ("error", "Boom('why')") in failure.frames[-1][3]


def unpickled(failure: Failure) -> Failure:
    copy = pickle.loads(pickle.dumps(failure))
    assert isinstance(copy, Failure)
    return copy


def cleaned(failure: Failure) -> Failure:
    failure.cleanFailure()
    return failure


@pytest.mark.parametrize("way", [unpickled, cleaned])
def test_what_stands_for_the_traceback_can_be_read(way: Callable[[Failure], Failure]) -> None:
    failure = way(caught(Boom()))
    tb = failure.getTracebackObject()
    names = [frame.name for frame in traceback.extract_tb(tb)]
    assert names == ["caught", "raise_it"]
    assert Failure(Boom()).getTracebackObject() is None


def test_pickling_keeps_all_but_the_traceback() -> None:
    failure = caught(LouderBoom("why"))
    copy = unpickled(failure)
    assert (copy.type, copy.value.args, copy.tb) == (LouderBoom, ("why",), None)
    assert copy.getTraceback() == failure.getTraceback()
    assert copy.parents == failure.parents
    assert copy.check(Boom) is Boom
    assert (failure.pickled, copy.pickled) == (0, 1)
    assert failure.tb is not None
    assert unpickled(copy).getTraceback() == failure.getTraceback()
