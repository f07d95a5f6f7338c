"""Errors in one line, with the place in the user's own file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reactorlib.application._blame import in_one_line
from reactorlib.internet.error import CannotListenError
from reactorlib.python.usage import Options, UsageError

HERE = __file__


def user() -> None:
    raise ValueError("no\n  good")


def through_the_library() -> None:
    json.loads("{")


def silent() -> None:
    raise KeyError


def usage() -> None:
    Options().parseOptions(["--nonesuch"])


def absent() -> None:
    open("/no/such/file")  # noqa: SIM115


def line_of(function: Callable[[], None]) -> int:
    return function.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (user, "ValueError: no good"),
        (through_the_library, "JSONDecodeError: Expecting property name"),
        (silent, "KeyError"),
        (usage, "UsageError: option --nonesuch not recognized"),
        (absent, "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"),
    ],
)
def test_the_users_own_line_is_named(function: Callable[[], None], said: str) -> None:
    with pytest.raises((ValueError, KeyError, UsageError, OSError)) as caught:
        function()
    # Without this test's own frame.
    caught.value.__traceback__ = caught.tb.tb_next
    assert in_one_line(caught.value).startswith(f"{HERE}:{line_of(function)}: {said}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "app.tac"), "app.tac: No such file"),
        (CannotListenError("", 80, OSError(98, "in use")), "Couldn't listen on any:80: "),
        (RuntimeError("no luck"), "RuntimeError: no luck"),
        (OSError(1, "not permitted"), "[Errno 1] not permitted"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_without_a_line_of_the_users_the_error_is_named(error: Exception, said: str) -> None:
    assert in_one_line(error).startswith(said)


def test_a_mistake_in_the_writing_is_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError) as caught:
        compile("x = 1\ny = (\n", str(tmp_path / "app.tac"), "exec")
    assert in_one_line(caught.value) == f"{tmp_path}/app.tac:2: SyntaxError: '(' was never closed"
