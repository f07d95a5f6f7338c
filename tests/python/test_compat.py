"""What differed between versions of Python."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from reactorlib.python import compat


@compat.comparable
class Number:
    def __init__(self, value: int) -> None:
        self.value = value

    def __cmp__(self, other: object) -> int:
        if not isinstance(other, Number):
            return NotImplemented  # type: ignore[no-any-return]
        return compat.cmp(self.value, other.value)


def test_comparing() -> None:
    # Type checkers do not see what the decorator adds.
    one: Any = Number(1)
    two: Any = Number(2)
    assert one == Number(1)
    assert one != two
    assert one < two
    assert one <= two
    assert two > one
    assert two >= one
    assert not one > two
    assert one.__lt__(3) is NotImplemented
    assert one != 1
    assert [compat.cmp(*pair) for pair in ((1, 2), ("b", "a"), ([1], [1]))] == [-1, 1, 0]


def test_strings() -> None:
    assert compat.nativeString(b"abc") == compat.nativeString("abc") == "abc"
    assert compat.networkString("abc") == b"abc"
    for function, wrong in [
        (compat.nativeString, b"\xff"),
        (compat.nativeString, "\N{SNOWMAN}"),
        (compat.networkString, "\N{SNOWMAN}"),
    ]:
        with pytest.raises(UnicodeError):
            function(wrong)  # type: ignore[arg-type]
    for function in (compat.nativeString, compat.networkString):
        with pytest.raises(TypeError):
            function(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        compat.networkString(b"abc")  # type: ignore[arg-type]


def test_bytes() -> None:
    assert list(compat.iterbytes(b"abc")) == [b"a", b"b", b"c"]
    assert bytes(compat.lazyByteSlice(b"abcdef", 2, 3)) == b"cde"
    assert bytes(compat.lazyByteSlice(b"abcdef", 2)) == b"cdef"


def test_what_a_file_takes(tmp_path: Path) -> None:
    assert compat.ioType(io.StringIO()) is str
    assert compat.ioType(io.BytesIO()) is bytes
    with open(tmp_path / "file", "w+") as text, open(tmp_path / "file", "rb") as binary:
        assert (compat.ioType(text), compat.ioType(binary)) == (str, bytes)
        assert compat.ioType(codecs.getreader("utf-8")(binary)) is bytes
    assert compat.ioType(object()) is str
    assert compat.ioType(object(), bytes) is bytes


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"])
def test_a_file_is_run(tmp_path: Path, ending: str) -> None:
    script = tmp_path / "script.py"
    script.write_bytes(f"x += 1{ending}y = x{ending}".encode())
    namespace = {"x": 1}
    compat.execfile(str(script), namespace)
    assert namespace["y"] == 2
    inner: dict[str, Any] = {"x": 10}
    compat.execfile(bytes(script), namespace, inner)
    assert (namespace["x"], inner["x"]) == (2, 11)


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda: compat.intToBytes(21), b"21"),
        (lambda: compat.items({1: 2}), [(1, 2)]),
        (lambda: list(compat.iteritems({1: 2})), [(1, 2)]),
        (lambda: list(compat.itervalues({1: 2})), [2]),
        (lambda: compat.bytesEnviron() == dict(os.environb), True),
    ],
)
def test_functions_of_former_times(call: Any, result: Any) -> None:
    with pytest.warns(DeprecationWarning, match="was deprecated in Twisted 21.2.0; please use"):
        assert call() == result


def test_an_exception_is_raised_again() -> None:
    error = ValueError("x")
    with (
        pytest.warns(DeprecationWarning, match="reraise"),
        pytest.raises(ValueError, match="x") as caught,
    ):
        compat.reraise(error, None)
    assert caught.value is error


@pytest.mark.parametrize(
    ("name", "what"),
    [("unicode", str), ("xrange", range), ("unichr", chr), ("intern", sys.intern), ("set", set)],
)
def test_names_of_former_times(name: str, what: Any) -> None:
    with pytest.warns(DeprecationWarning, match=rf"compat\.{name} was deprecated") as caught:
        assert getattr(compat, name) is what
    assert caught[0].filename == __file__


def test_frames() -> None:
    def inner() -> list[str | None]:
        found = [compat.currentframe(), compat.currentframe(1), compat.currentframe(10_000)]
        return [None if frame is None else frame.f_code.co_name for frame in found]

    assert inner() == ["inner", "test_frames", None]


def test_other_names() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        compat.nothing  # noqa: B018
